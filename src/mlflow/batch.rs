//! Points, parameters and tags in requests that a server accepts, and whom to blame for one that it does not.

use std::collections::VecDeque;

use super::wire::{LogBatch, MOST_BYTES, MOST_METRICS, MOST_PARAMS, MOST_TAGS, Metric, Param, Tag};

/// What JSON adds to an entry: names of fields, quotes, numbers.
const FRAME: usize = 120;

/// One thing that is sent in batches.
#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    /// A point.
    Metric(Metric),
    /// A parameter.
    Param(Param),
    /// A tag.
    Tag(Tag),
}

impl Item {
    /// What it is, for people.
    pub fn words(&self) -> String {
        match self {
            Self::Metric(metric) => format!("metric {} at step {}", metric.key.as_str(), metric.step.0),
            Self::Param(param) => format!("parameter {}", param.key.as_str()),
            Self::Tag(tag) => format!("tag {}", tag.key.as_str()),
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Self::Metric(metric) => metric.key.as_str(),
            Self::Param(param) => param.key.as_str(),
            Self::Tag(tag) => tag.key.as_str(),
        }
    }

    /// At most so many bytes in a request.
    fn bytes(&self) -> usize {
        FRAME
            + match self {
                Self::Metric(metric) => in_json(metric.key.as_str()),
                Self::Param(param) => in_json(param.key.as_str()) + in_json(param.value.as_str()),
                Self::Tag(tag) => in_json(tag.key.as_str()) + in_json(tag.value.as_str()),
            }
    }
}

/// Bytes of a text in JSON.
fn in_json(text: &str) -> usize {
    let bytes = |c: char| match c {
        '"' | '\\' => 2,
        c if c < ' ' => 6,
        c => c.len_utf8(),
    };
    text.chars().map(bytes).sum()
}

/// Items that fit into one request.
#[derive(Debug, Default)]
pub struct Batch {
    metrics: Vec<Metric>,
    params: Vec<Param>,
    tags: Vec<Tag>,
    bytes: usize,
}

impl Batch {
    /// The items that one request can hold, from the front; at least one.
    pub fn fill<'a>(items: impl Iterator<Item = &'a Item>) -> Self {
        let mut batch = Self::default();
        for item in items {
            if !batch.is_empty() && !batch.has_room_for(item) {
                break;
            }
            batch.bytes += item.bytes();
            match item {
                Item::Metric(metric) => batch.metrics.push(metric.clone()),
                Item::Param(param) => batch.params.push(param.clone()),
                Item::Tag(tag) => batch.tags.push(tag.clone()),
            }
        }
        batch
    }

    fn has_room_for(&self, item: &Item) -> bool {
        let of_kind = match item {
            Item::Metric(_) => self.metrics.len() < MOST_METRICS,
            Item::Param(_) => self.params.len() < MOST_PARAMS,
            Item::Tag(_) => self.tags.len() < MOST_TAGS,
        };
        // So many of all kinds together, too.
        of_kind && self.len() < MOST_METRICS && self.bytes + item.bytes() <= MOST_BYTES
    }

    /// How many items there are.
    pub fn len(&self) -> usize {
        self.metrics.len() + self.params.len() + self.tags.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The request.
    pub fn request<'a>(&'a self, run_id: &'a str) -> LogBatch<'a> {
        LogBatch { run_id, metrics: &self.metrics, params: &self.params, tags: &self.tags }
    }
}

/// Hears what became of an item, by its place: that the server has it, or its words.
pub type Take<'a, E> = dyn FnMut(usize, &Item, Result<(), &str>) -> Result<(), E> + 'a;

/// Sends items in as few requests as they need, and cuts a request that is not accepted into halves until what is not
/// accepted stands alone; that is asked once more, since two senders at once can be in each other's way. `send` sends; `take`
/// hears what became of the items, so many at a time; what `is_hopeless` by then is not sent any more.
///
/// # Errors
/// What `send` or `take` reports, but for what is not accepted.
pub fn send_all<E>(
    items: &[Item],
    send: &mut dyn FnMut(&Batch) -> Result<Outcome, E>,
    take: &mut Take<'_, E>,
    is_hopeless: &dyn Fn(&Item) -> bool,
) -> Result<(), E> {
    let mut rest: VecDeque<(usize, &Item)> = items.iter().enumerate().collect();
    let (mut most, mut asked) = (usize::MAX, 0);
    while !rest.is_empty() {
        let batch = Batch::fill(rest.iter().map(|(_, item)| *item).take(most));
        match send(&batch)? {
            Outcome::Accepted => {
                rest.drain(..batch.len()).try_for_each(|(at, item)| take(at, item, Ok(())))?;
                most = most.saturating_mul(2);
                asked = 0;
            }
            Outcome::Rejected(_) if batch.len() == 1 && asked == 0 => asked = 1,
            Outcome::Rejected(words) if batch.len() == 1 => {
                rest.drain(..1).try_for_each(|(at, item)| take(at, item, Err(&words)))?;
                asked = 0;
                let (hopeless, others) =
                    rest.into_iter().partition::<Vec<_>, _>(|(_, item)| is_hopeless(item));
                hopeless.into_iter().try_for_each(|(at, item)| take(at, item, Err(&words)))?;
                rest = others.into();
            }
            Outcome::Rejected(_) => most = batch.len() / 2,
        }
    }
    Ok(())
}

/// What a server makes of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// All of it is there.
    Accepted,
    /// Something in it is wrong.
    Rejected(String),
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::mlflow::wire::{Key, MetricValue, Millis, Step, TagValue};
    use proptest::prelude::*;

    fn metric(step: u64) -> Item {
        Item::Metric(Metric {
            key: Key::of("loss"),
            value: MetricValue(0.5),
            timestamp: Millis::of(step),
            step: Step::of(step),
        })
    }

    fn tag(at: usize, length: usize) -> Item {
        let value = TagValue::new("\u{1}".repeat(length)).unwrap();
        Item::Tag(Tag { key: Key::of(&format!("tag {at}")), value })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn each_item_is_sent_once_in_order_and_only_the_bad_ones_are_blamed(
            metrics in 0u64..2500, tags in 0usize..250, bad in prop::collection::btree_set(0usize..2750, 0..5)
        ) {
            let mut items: Vec<Item> = (0..metrics).map(metric).collect();
            items.extend((0..tags).map(|at| tag(at, 1 + at % 8000)));
            let bad: Vec<Item> = bad.iter().filter_map(|at| items.get(*at).cloned()).collect();
            let (mut accepted, mut blamed, mut requests) = (Vec::new(), Vec::new(), 0);
            send_all::<()>(
                &items,
                &mut |batch| {
                    requests += 1;
                    assert!(batch.metrics.len() <= 1000 && batch.tags.len() <= 100 && batch.len() <= 1000);
                    let bytes = serde_json::to_vec(&batch.request("0123456789abcdef0123456789abcdef")).unwrap().len();
                    assert!(bytes <= 1_000_000, "{bytes}");
                    let wrong = bad.iter().any(|item| match item {
                        Item::Metric(metric) => batch.metrics.contains(metric),
                        Item::Tag(tag) => batch.tags.contains(tag),
                        Item::Param(_) => false,
                    });
                    Ok(if wrong { Outcome::Rejected("no".to_owned()) } else { Outcome::Accepted })
                },
                &mut |_, item, outcome| {
                    match outcome {
                        Ok(()) => accepted.push(item.clone()),
                        Err(_) => blamed.push(item.clone()),
                    }
                    Ok(())
                },
                &|_| false,
            )
            .unwrap();
            prop_assert_eq!(&blamed, &bad);
            let good: Vec<Item> = items.iter().filter(|item| !bad.contains(item)).cloned().collect();
            prop_assert_eq!(accepted, good);
            // Down to one item, and up again, for each bad one.
            prop_assert!(requests <= 3 + items.len() / 1000 + tags + 45 * bad.len());
        }
    }

    #[test]
    fn what_is_hopeless_is_not_asked_for_point_by_point() {
        let items: Vec<Item> = (0..1000).map(metric).collect();
        let (mut requests, blamed) = (0, Cell::new(0));
        send_all::<()>(
            &items,
            &mut |_| {
                requests += 1;
                Ok(Outcome::Rejected("no".to_owned()))
            },
            &mut |_, _, _| {
                blamed.set(blamed.get() + 1);
                Ok(())
            },
            &|_| blamed.get() >= 3,
        )
        .unwrap();
        assert_eq!(blamed.get(), 1000);
        assert!(requests < 30, "{requests}");
    }

    #[test]
    fn long_tags_are_not_sent_in_one_request_of_more_than_a_megabyte() {
        let items: Vec<Item> = (0..100).map(|at| tag(at, 8000)).collect();
        let batch = Batch::fill(items.iter());
        assert!(batch.len() > 10 && batch.len() < 100, "{}", batch.len());
    }
}
