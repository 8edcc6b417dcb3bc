pub mod ablation;
pub mod augment;
pub mod data;
pub mod evaluate;
pub mod experiment;
pub mod method;
pub mod model;
pub mod train;
