//! Statistics as they are given to a job, before its model is open.

use super::{GatheredFolder, Measured, Named};
use crate::calibrate::Upfront;
use crate::failure::Failure;
use crate::job::JobSource;
use llmq_plugin_api::wire::SeenByLaterLayers;
use std::sync::Arc;

/// Where the statistics of a job come from.
#[derive(Debug, Clone)]
pub enum Supply {
    /// Importance matrices, added up.
    Table(Named),
    /// A folder that `analyze --statistics` wrote.
    Folder(Arc<GatheredFolder>),
    /// A text, which the job takes through the model first.
    Text(Arc<Upfront>),
}

/// What statistics hold, before they are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content<'a> {
    /// What they are called in messages.
    pub name: String,
    /// Words of [`llmq_plugin_api::sdk::StatisticKind`].
    pub kinds: Vec<&'a str>,
}

impl Supply {
    /// What is in it.
    pub fn content(&self) -> Content<'_> {
        match self {
            Supply::Table(named) => {
                Content { name: named.table.origin.files.join(", "), kinds: vec![named.table.kind.as_str()] }
            }
            Supply::Folder(folder) => Content { name: folder.path().display().to_string(), kinds: folder.kinds() },
            Supply::Text(upfront) => Content {
                name: "--calibration-data".to_owned(),
                kinds: upfront.kinds.iter().map(|kind| kind.word()).collect(),
            },
        }
    }

    /// What the layers before are, or were, when a layer is calibrated.
    pub fn later_layers_see(&self) -> SeenByLaterLayers {
        match self {
            Supply::Table(_) | Supply::Folder(_) => SeenByLaterLayers::Original,
            Supply::Text(upfront) => upfront.later_layers_see,
        }
    }

    /// The same for a model of which only the headers are there: no statistics were gathered from those.
    pub fn for_headers(&self) -> Supply {
        match self {
            Supply::Table(named) => Supply::Table(named.clone()),
            Supply::Folder(folder) => Supply::Folder(Arc::new(folder.for_any_model())),
            Supply::Text(upfront) => Supply::Text(Arc::clone(upfront)),
        }
    }

    /// Finds the source tensors that the statistics belong to; `None` for a text, of which nothing was gathered yet.
    ///
    /// # Errors
    /// Everything that forbids their use for this model.
    pub fn bind(&self, source: &JobSource<'_>) -> Result<Option<Box<dyn Measured>>, Failure> {
        Ok(match self {
            Supply::Table(named) => Some(Box::new(named.bind(source)?)),
            Supply::Folder(folder) => Some(Box::new(folder.bind(source.weights())?)),
            Supply::Text(_) => None,
        })
    }
}
