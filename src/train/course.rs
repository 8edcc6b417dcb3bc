//! A training under way: the network, its optimiser, and where it stands. All that a resume needs is in its
//! [`Stand`].

use super::sgd::Sgd;
use super::trace::Trace;
use crate::nn::Network;
use crate::nn::weights::{State, WeightsError};
use crate::spec::train::Train;

/// A network that is being trained.
pub struct Course<'a> {
    /// The network.
    pub network: &'a Network,
    pub(super) sgd: Sgd,
    pub(super) at: At,
}

/// How far a training is.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct At {
    /// Optimiser steps that are done.
    pub step: u64,
    /// Whether the look after that step is done, too.
    pub looked: bool,
    /// Over all of them.
    pub trace: Trace,
}

/// A training at a step, bit for bit. Random numbers are addressed by step and image, so that none of them is here.
#[derive(Debug)]
pub struct Stand {
    /// How far it is.
    pub at: At,
    /// Parameters and running statistics.
    pub network: State,
    /// The optimiser's velocities.
    pub velocity: State,
}

impl<'a> Course<'a> {
    /// The beginning of a training of this many steps.
    pub fn new(network: &'a Network, train: &Train, steps: u64) -> Self {
        let sgd = Sgd::new(network.parameters(), train.momentum, train.weight_decay);
        Self { network, sgd, at: At { step: 0, looked: true, trace: Trace::new(steps) } }
    }

    /// Goes to where a training of the same network stood.
    ///
    /// # Errors
    /// When it was another network's.
    pub fn go_to(&mut self, stand: &Stand) -> Result<(), WeightsError> {
        self.network.load_state(&stand.network)?;
        self.sgd.load_state(&stand.velocity)?;
        self.at = stand.at.clone();
        Ok(())
    }

    /// Where it stands.
    ///
    /// # Errors
    /// When the device has no room for a copy.
    pub fn stand(&self) -> candle_core::Result<Stand> {
        let (network, velocity) = (self.network.state()?, self.sgd.state()?);
        Ok(Stand { at: self.at.clone(), network, velocity })
    }

    /// How far it is.
    pub fn at(&self) -> &At {
        &self.at
    }
}
