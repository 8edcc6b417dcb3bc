//! A projection of studies to a tracking server of MLflow: every run in its pages, ready to be compared.
//!
//! *The store is the truth. What a server shows is made of it, at any time, any number of times, from any copy of it, to the
//! same content.* Nothing here is needed by a run, and nothing here is lost with a server.
//!
//! - [`view`]: what a server is to show of a study: a pure function of the store
//! - [`server`]: where it is, and how it is reached; [`client`]: its requests; [`wire`]: the messages, in types that cannot
//!   be misread; [`fault`]: what its errors mean
//! - [`cursor`]: what it has acknowledged; [`pending`]: what it has not
//! - [`place`]: which experiment there is a study's; [`known`]: which run there is which of ours; [`adopt`]: finds or makes it;
//!   [`point`]: what a measured value is there
//! - [`push`]: brings a run, in [`batch`]es; [`sync`]: brings a study; [`audit`]: reads it back
//! - [`follow`]: does so beside a run, with [`patience`]; [`links`]: where it is to be seen
//!
//! # Once, and always the same
//!
//! What a server is sent has the same bytes whoever sends it and whenever: names, values, files, and also times, which count
//! from the beginning of the run as the server itself has it. A server keeps equal points once. So whatever was cut off,
//! lost, or sent by two machines is sent again without harm, and cursors are there to save work alone. The one request for
//! which that is not so, the making of a run, stands between two searches for it.

pub mod adopt;
pub mod audit;
pub mod batch;
pub mod client;
pub mod cursor;
pub mod fault;
pub mod follow;
pub mod known;
pub mod links;
pub mod patience;
pub mod pending;
pub mod place;
pub mod point;
pub mod push;
pub mod server;
pub mod sync;
pub mod view;
pub mod wire;
