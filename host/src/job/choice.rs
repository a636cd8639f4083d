//! Encodings that someone other than the level chooses: the plan is made once to learn the tensors, then again with them.

use super::services::JobServices;
use super::source::JobSource;
use crate::failure::Failure;
use crate::selector::{Rule, check_encodings, resolve};
use llmq_plugin_api::client::{Backend, Session};
use llmq_plugin_api::wire::{FormatDescriptor, Request};

/// Who chooses the encodings of single tensors.
#[derive(Debug, Clone, Default)]
pub enum Choice {
    /// The level, for all of them.
    #[default]
    Level,
    /// Rules, for those that they select.
    Rules(Vec<Rule>),
}

/// A session under a choice, with the request that led to it.
pub(super) struct Chosen {
    pub session: Session,
    pub request: Request,
    pub warnings: Vec<String>,
}

impl Choice {
    /// Refuses what no model is needed for to refuse.
    pub(super) fn check(&self, format: &FormatDescriptor) -> Result<(), Failure> {
        match self {
            Choice::Level => Ok(()),
            Choice::Rules(rules) => check_encodings(rules, format),
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
        let resolution = match self {
            Choice::Level => return Ok(Chosen { session, request, warnings: Vec::new() }),
            Choice::Rules(rules) => {
                // Numbers in the plan are used below, and this plan was not looked at yet.
                let model = source.model();
                let sound = session.plan().check(model.units.len(), model.tensors.len());
                sound.map_err(|fault| super::open::unsound(&backend.descriptor().id, &fault.to_string()))?;
                resolve(rules, session.plan(), model, format)?
            }
        };
        drop(session);
        request.encodings = resolution.encodings;
        let session = backend.open_session(services, source, &request)?;
        Ok(Chosen { session, request, warnings: resolution.warnings })
    }
}
