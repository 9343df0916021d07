//! The scenes.

mod cost;
mod crowd;
mod delay;
mod first_picture;
mod mouth_to_ear;
mod rate;
mod shaped;

use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::clip::{self, Clip};
use crate::plan::{Plan, USAGE};
use crate::table::Section;

/// What both sides send.
pub struct Clips {
    pub small: Clip,
    pub large: Clip,
    pub speech: PathBuf,
}

impl Clips {
    /// Prepares the files that are missing.
    ///
    /// # Errors
    /// When one cannot be made.
    pub async fn prepare() -> Result<Self> {
        Ok(Self {
            small: Clip::small().await?,
            large: Clip::large().await?,
            speech: clip::speech().await?,
        })
    }
}

/// Runs a scene.
///
/// # Errors
/// When it cannot be run at all; what fails in one run is left out.
pub async fn run(scene: &str, plan: &Plan, clips: &Clips) -> Result<Vec<Section>> {
    match scene {
        "cost" => Ok(cost::run(plan, clips).await),
        "delay" => Ok(delay::run(plan, clips).await),
        "rate" => Ok(rate::run(plan, clips).await),
        "shaped" => Ok(shaped::run(plan, clips).await),
        "first-picture" => Ok(first_picture::run(plan, clips).await),
        "crowd" => Ok(crowd::run(plan, clips).await),
        "mouth-to-ear" => Ok(mouth_to_ear::run(plan).await),
        _ => bail!(USAGE),
    }
}
