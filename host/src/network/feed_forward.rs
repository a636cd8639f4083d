//! The feed-forward block of a layer, from its tensors and the family's rules.

use super::Source;
use crate::failure::{Class, Failure};
use crate::model::family::{GateUpOrder, RouterRules, RouterScore};
use llmq_forward::{Activation, Block, Choice, FeedForward, Groups, Linear, Mixture, Normalise, Score, Shared, UpGate};
use llmq_plugin_api::wire::Role;
use serde_json::Value;

/// Roles of the matrices of one kind of block.
struct Roles {
    gate: Role,
    up: Role,
    joint: Role,
    down: Role,
}

impl Source<'_> {
    pub(super) fn feed_forward(&self, layer: u32) -> Result<FeedForward, Failure> {
        if self.has(&Role::FfnDown, layer) {
            let roles = Roles { gate: Role::FfnGate, up: Role::FfnUp, joint: Role::FfnGateUp, down: Role::FfnDown };
            return Ok(FeedForward::Dense(Box::new(self.block(&roles, layer, None)?)));
        }
        let (Some(rules), Some(experts)) = (&self.rules.router, &self.description.hyperparameters.experts) else {
            let problem =
                format!("layer {layer} has neither a dense feed-forward block nor experts that are described");
            return Err(Failure::new(Class::General, problem));
        };
        let roles =
            Roles { gate: Role::ExpertGate, up: Role::ExpertUp, joint: Role::ExpertGateUp, down: Role::ExpertDown };
        let own = (0..experts.count).map(|expert| self.block(&roles, layer, Some(expert)));
        let shared = Roles {
            gate: Role::SharedExpertGate,
            up: Role::SharedExpertUp,
            joint: Role::FfnGateUp,
            down: Role::SharedExpertDown,
        };
        let gate = self.has(&Role::SharedExpertRouter, layer);
        Ok(FeedForward::Mixture(Box::new(Mixture {
            router: self.linear(&Role::Router, Some(layer), None)?,
            correction: self.vector(&Role::RouterBias, layer),
            choice: self.choice(rules, experts.used as usize)?,
            experts: own.collect::<Result<_, _>>()?,
            shared: match self.has(&Role::SharedExpertDown, layer) {
                false => None,
                true => Some(Shared {
                    block: self.block(&shared, layer, None)?,
                    gate: match gate {
                        false => None,
                        true => Some(self.linear(&Role::SharedExpertRouter, Some(layer), None)?),
                    },
                }),
            },
        })))
    }

    fn block(&self, roles: &Roles, layer: u32, expert: Option<u32>) -> Result<Block, Failure> {
        let linear = |role| self.linear(role, Some(layer), expert);
        let there = |role: &Role| {
            self.has(role, layer) || expert.is_some_and(|e| self.found.expert(role, Some(layer), e).is_some())
        };
        let up = if there(&roles.joint) {
            match self.rules.gate_up {
                GateUpOrder::Halves => UpGate::Halves(linear(&roles.joint)?),
                GateUpOrder::Alternating => UpGate::Alternating(linear(&roles.joint)?),
            }
        } else if there(&roles.gate) {
            UpGate::Both { gate: linear(&roles.gate)?, up: linear(&roles.up)? }
        } else {
            UpGate::Up(linear(&roles.up)?)
        };
        let down: Linear = linear(&roles.down)?;
        let sub_norm = self.norm(&Role::FfnSubNorm, Some(layer))?;
        Ok(Block { up, activation: self.activation()?, sub_norm, down })
    }

    fn activation(&self) -> Result<Activation, Failure> {
        if self.rules.clamped_swish {
            let number = |key| self.fields.positive(key).map(|x| x as f32);
            return Ok(Activation::ClampedSwish { alpha: number("swiglu_alpha")?, limit: number("swiglu_limit")? });
        }
        Ok(match self.description.hyperparameters.activation.as_str() {
            "silu" | "swish" => Activation::Silu,
            "gelu" => Activation::Gelu,
            "gelu_new" | "gelu_pytorch_tanh" | "gelu_fast" => Activation::GeluTanh,
            "relu" => Activation::Relu,
            "relu2" => Activation::ReluSquared,
            other => {
                let problem = format!("the forward pass does not know the activation `{other}` of config.json");
                return Err(Failure::new(Class::General, problem));
            }
        })
    }

    fn choice(&self, rules: &RouterRules, used: usize) -> Result<Choice, Failure> {
        let normalise = match rules.normalise.as_str() {
            "yes" => true,
            "no" => false,
            key => self.fields.switch(key)?,
        };
        let scale = match &rules.scale {
            Some(key) => self.fields.positive(key)? as f32,
            None => 1.0,
        };
        let method = self.config.get("topk_method").and_then(Value::as_str);
        let grouped = match &rules.grouped_method {
            Some(word) => method == Some(word),
            None => true,
        };
        let groups = match rules.group_judged_by {
            Some(judged_by) if grouped => Some(self.groups(judged_by as usize)?),
            _ => None,
        };
        Ok(Choice {
            used,
            score: match rules.score {
                RouterScore::Softmax => Score::Softmax,
                RouterScore::Sigmoid => Score::Sigmoid,
            },
            normalise: if normalise { Normalise::Yes } else { Normalise::No },
            scale,
            groups: groups.filter(|groups| groups.count > 1),
        })
    }

    fn groups(&self, judged_by: usize) -> Result<Groups, Failure> {
        let experts = self.description.hyperparameters.experts.as_ref().map_or(0, |experts| experts.count as usize);
        let count = self.fields.count("n_group", 1..=1 << 16)? as usize;
        let used = self.fields.count("topk_group", 1..=1 << 16)? as usize;
        if !experts.is_multiple_of(count) || used > count {
            let problem = format!(
                "{experts} experts cannot stand in {count} groups (n_group), {used} of them in use (topk_group)"
            );
            return Err(Failure::new(Class::General, problem));
        }
        Ok(Groups { count, used, judged_by })
    }
}
