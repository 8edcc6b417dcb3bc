pub mod backbone;
pub mod head;
pub mod ops;
