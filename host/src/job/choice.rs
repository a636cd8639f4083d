//! Encodings that someone other than the level chooses: the plan is made once to learn the tensors, then again with them.

use super::services::JobServices;
use super::source::JobSource;
use crate::failure::Failure;
use crate::plan_file::{self, PlanFile};
use crate::selector::{Resolution, Rule, check_encodings, resolve};
use llmq_plugin_api::client::{Backend, Session};
use llmq_plugin_api::wire::{FormatDescriptor, Request};
use std::sync::Arc;

/// Who chooses the encodings of single tensors.
#[derive(Debug, Clone, Default)]
pub enum Choice {
    /// The level, for all of them.
    #[default]
    Level,
    /// Rules, for those that they select.
    Rules(Vec<Rule>),
    /// A plan file, for all of them.
    Planned(Arc<PlanFile>),
}

/// A session under a choice, with the request that led to it.
pub(super) struct Chosen {
    pub session: Session,
    pub request: Request,
    pub warnings: Vec<String>,
}

impl Choice {
    /// The same for a model of which only the headers are there, whose content no plan file was made from.
    pub fn for_headers(&self) -> Choice {
        match self {
            Choice::Planned(file) => Choice::Planned(Arc::new(file.for_any_model())),
            other => other.clone(),
        }
    }

    /// Refuses what no model is needed for to refuse.
    pub(super) fn check(&self, format: &FormatDescriptor) -> Result<(), Failure> {
        match self {
            Choice::Level => Ok(()),
            Choice::Rules(rules) => check_encodings(rules, format),
            Choice::Planned(file) => plan_file::check_types(file, format),
        }
    }

    pub(super) fn open(
        &self,
        backend: &Backend,
        format: &FormatDescriptor,
        services: &JobServices,
        source: &JobSource,
        mut request: Request,
    ) -> Result<Chosen, Failure> {
        let session = backend.open_session(services, source, &request)?;
        if matches!(self, Choice::Level) {
            return Ok(Chosen { session, request, warnings: Vec::new() });
        }
        // Numbers in the plan are used below, and this plan was not looked at yet.
        let model = source.model();
        let sound = session.plan().check(model.units.len(), model.tensors.len());
        sound.map_err(|fault| super::open::unsound(&backend.descriptor().id, &fault.to_string()))?;
        let resolution = match self {
            Choice::Level => Resolution::default(),
            Choice::Rules(rules) => resolve(rules, session.plan(), model, format)?,
            Choice::Planned(file) => {
                let content = source.weights().fingerprint()?.content;
                let warnings = plan_file::check_importance(file, request.statistics_origin.as_ref())?;
                Resolution { encodings: plan_file::apply(file, session.plan(), model, &content, format)?, warnings }
            }
        };
        drop(session);
        request.encodings = resolution.encodings;
        let session = backend.open_session(services, source, &request)?;
        if let Choice::Planned(file) = self {
            plan_file::verify(file, session.plan())?;
        }
        Ok(Chosen { session, request, warnings: resolution.warnings })
    }
}
