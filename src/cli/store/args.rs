//! What was typed after `stpp store`.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};

use crate::cli::args::StoreArgs;

/// `stpp store …`
#[derive(Debug, Subcommand)]
pub enum StoreCommand {
    /// Check that everything in the store is what was written
    Verify(VerifyArgs),
    /// Plan what may be removed from the store; with --delete, remove it
    Gc(GcArgs),
    /// Write an ablation with all that it needs as one file
    Export(ExportArgs),
    /// Take over an ablation from such a file
    Import(ImportArgs),
}

/// `stpp store verify`
#[derive(Debug, ClapArgs)]
pub struct VerifyArgs {
    /// Where to look.
    #[command(flatten)]
    pub store: StoreArgs,
    /// Set aside what is damaged, so that the next run makes it anew
    #[arg(long)]
    pub mend: bool,
    /// Write JSON
    #[arg(long)]
    pub json: bool,
}

/// `stpp store gc`
#[derive(Debug, ClapArgs)]
pub struct GcArgs {
    /// Where to look.
    #[command(flatten)]
    pub store: StoreArgs,
    /// Give up an ablation: what it alone needs is garbage then; can be repeated
    #[arg(long, value_name = "NAME")]
    pub drop: Vec<String>,
    /// Give up damaged files that were set aside
    #[arg(long)]
    pub quarantine: bool,
    /// Remove what the plan says
    #[arg(long)]
    pub delete: bool,
    /// Name every file
    #[arg(long, conflicts_with = "json")]
    pub files: bool,
    /// Write the plan as JSON
    #[arg(long)]
    pub json: bool,
}

/// `stpp store export`
#[derive(Debug, ClapArgs)]
pub struct ExportArgs {
    /// The name of an ablation in the store
    pub name: String,
    /// The file to write
    #[arg(long, value_name = "FILE")]
    pub to: PathBuf,
    /// Where to look.
    #[command(flatten)]
    pub store: StoreArgs,
}

/// `stpp store import`
#[derive(Debug, ClapArgs)]
pub struct ImportArgs {
    /// A file that `stpp store export` wrote
    pub file: PathBuf,
    /// Let the ablation take a name that another one has in the store; finished stages stay
    #[arg(long)]
    pub replace: bool,
    /// Where to remember.
    #[command(flatten)]
    pub store: StoreArgs,
}
