//! Training batches in order, made ahead of the step that needs them.
//!
//! What is in a batch follows from its step number alone: epoch, place in the epoch's order, and from there each
//! item's random numbers. So a resumed training starts at any step, and neither threads nor prefetch change a bit.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;

use rayon::prelude::*;

use super::augment::{Address, normalize_into, only_flips, strong, weak};
use super::image::{Mask, Rgb};
use super::sampler::{TrainItem, epoch_of, epoch_order};
use crate::spec::augment::{Strong, Weak};
use crate::spec::length::steps_per_epoch;
use crate::spec::normalisation::Normalisation;

/// Where the pixels come from.
pub trait Samples: Send + Sync {
    /// The image and the mask it is trained on.
    ///
    /// # Errors
    /// When they cannot be read.
    fn sample(&self, id: &str) -> Result<(Arc<Rgb>, Arc<Mask>), SampleError>;
}

/// Why [`Samples`] could not give an image.
#[derive(Debug, thiserror::Error)]
#[error("read the training image `{id}`")]
pub struct SampleError {
    /// The image.
    pub id: String,
    /// What went wrong.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// Why there is no batch.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// An image could not be read.
    #[error(transparent)]
    Sample(#[from] SampleError),
    /// An image and its mask do not belong together.
    #[error(
        "load `{id}`: the image is {}x{}, its mask {}x{}; they must have the same size",
        image.0, image.1, mask.0, mask.1
    )]
    Sizes {
        /// The image.
        id: String,
        /// (width, height) of the image.
        image: (usize, usize),
        /// (width, height) of the mask.
        mask: (usize, usize),
    },
    /// An epoch would have no step.
    #[error(
        "load batches of {batch} from a list of {items} images; make `batch` smaller or unset `drop_last`"
    )]
    NoBatch {
        /// Length of the training list, with repeats.
        items: usize,
        /// Images per step.
        batch: usize,
    },
}

/// The images of one step, augmented and normalised.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// From 1.
    pub step: u64,
    /// From 1.
    pub epoch: u64,
    /// Whether it is the epoch's last.
    pub ends_epoch: bool,
    /// `(B, 3, S, S)`.
    pub images: Vec<f32>,
    /// `(B, S, S)`.
    pub masks: Vec<u8>,
    /// For each image, whether it comes again pixel by pixel: nothing but a flip of it is left to chance.
    pub again: Vec<bool>,
    /// B; smaller at the end of an epoch whose last batch is kept.
    pub size: usize,
}

/// How batches are made.
#[derive(Debug, Clone)]
pub struct Loading {
    /// The experiment's seed.
    pub seed: u64,
    /// Which model of the recipe is trained.
    pub role: String,
    /// Images per step.
    pub batch: usize,
    /// Side S of the crop.
    pub crop: usize,
    /// What random resizing is relative to.
    pub base_size: usize,
    /// Leave out an epoch's last, smaller batch.
    pub drop_last: bool,
    /// For every item.
    pub weak: Weak,
    /// For the items that ask for it.
    pub strong: Strong,
    /// What the network is made for.
    pub normalisation: Normalisation,
    /// The first step wanted, from 1.
    pub first_step: u64,
    /// The last step of the training.
    pub total_steps: u64,
    /// Batches made ahead; with 0, each is made when it is asked for, on the caller's thread.
    pub prefetch: usize,
    /// The threads that work. Without it, the caller's with prefetch 0, and a pool of their own with more: a caller
    /// that waits for a batch on a thread of the pool that makes it would wait for itself.
    pub pool: Option<Arc<rayon::ThreadPool>>,
}

/// The batches of steps `first_step ..= total_steps`, in order; ends after the first error.
///
/// Dropping the iterator stops the work as soon as the images in the making are done.
pub fn batches(
    items: Arc<[TrainItem]>,
    samples: Arc<dyn Samples>,
    mut loading: Loading,
) -> impl Iterator<Item = Result<Batch, LoadError>> {
    let prefetch = loading.prefetch;
    if prefetch > 0 && loading.pool.is_none() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(rayon::current_num_threads()).build();
        loading.pool = Some(Arc::new(pool.expect("the system has threads to spare")));
    }
    let producer = Producer::new(items, samples, loading);
    match prefetch {
        0 => Batches::Direct(Box::new(producer)),
        _ => Batches::Ahead(Ahead::start(producer, prefetch)),
    }
}

enum Batches {
    Direct(Box<Producer>),
    Ahead(Ahead),
}

impl Iterator for Batches {
    type Item = Result<Batch, LoadError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Direct(producer) => producer.next(),
            Self::Ahead(ahead) => ahead.next(),
        }
    }
}

/// A producer on a thread of its own. The channel is what bounds it.
struct Ahead {
    batches: Option<Receiver<Result<Batch, LoadError>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Ahead {
    fn start(mut producer: Producer, prefetch: usize) -> Self {
        // One more batch is in the producer's hands while the channel is full.
        let (sender, batches) = sync_channel(prefetch - 1);
        let stop = Arc::clone(&producer.stop);
        let thread = std::thread::spawn(move || {
            while let Some(batch) = producer.next() {
                if sender.send(batch).is_err() {
                    return;
                }
            }
        });
        Self { batches: Some(batches), stop, thread: Some(thread) }
    }

    fn next(&mut self) -> Option<Result<Batch, LoadError>> {
        if let Ok(batch) = self.batches.as_ref()?.recv() {
            return Some(batch);
        }
        // All steps are done, or the thread panicked, which must not look like the end of the training.
        self.batches = None;
        if let Some(Err(panic)) = self.thread.take().map(JoinHandle::join) {
            std::panic::resume_unwind(panic);
        }
        None
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.batches = None;
        if let Some(thread) = self.thread.take() {
            // A panic in there concerns a batch that nobody asks for any more.
            let _ = thread.join();
        }
    }
}

/// Makes one batch after the other.
struct Producer {
    items: Arc<[TrainItem]>,
    samples: Arc<dyn Samples>,
    loading: Loading,
    /// The next step; none after the last one or an error.
    step: Option<u64>,
    per_epoch: u64,
    /// The epoch of `order`; 0 before the first.
    epoch: u64,
    order: Vec<usize>,
    stop: Arc<AtomicBool>,
}

impl Producer {
    fn new(items: Arc<[TrainItem]>, samples: Arc<dyn Samples>, loading: Loading) -> Self {
        let per_epoch = steps_per_epoch(items.len(), loading.batch, loading.drop_last);
        let step = Some(loading.first_step.max(1));
        let stop = Arc::new(AtomicBool::new(false));
        Self { items, samples, loading, step, per_epoch, epoch: 0, order: Vec::new(), stop }
    }

    fn next(&mut self) -> Option<Result<Batch, LoadError>> {
        let step = self.step.take().filter(|&step| step <= self.loading.total_steps)?;
        if self.per_epoch == 0 {
            let (items, batch) = (self.items.len(), self.loading.batch);
            return Some(Err(LoadError::NoBatch { items, batch }));
        }
        let (epoch, place) = epoch_of(step, self.per_epoch);
        if self.epoch != epoch {
            self.order = epoch_order(&self.items, self.loading.seed, &self.loading.role, epoch);
            self.epoch = epoch;
        }
        let begin = place as usize * self.loading.batch;
        let end = (begin + self.loading.batch).min(self.order.len());
        let chosen = &self.order[begin..end];
        let made = match &self.loading.pool {
            Some(pool) => pool.install(|| self.make(step, epoch, chosen)),
            None => self.make(step, epoch, chosen),
        };
        match made {
            Some(Ok(batch)) => {
                self.step = Some(step + 1);
                Some(Ok(batch))
            }
            failed_or_stopped => failed_or_stopped,
        }
    }

    /// The batch of these items; nothing when asked to stop.
    fn make(&self, step: u64, epoch: u64, chosen: &[usize]) -> Option<Result<Batch, LoadError>> {
        let area = self.loading.crop * self.loading.crop;
        let mut images = vec![0.0; chosen.len() * 3 * area];
        let mut masks = vec![0; chosen.len() * area];
        // Collecting keeps the order, so that of two errors the first item's is reported.
        let results: Vec<Result<(), LoadError>> = images
            .par_chunks_exact_mut(3 * area)
            .zip(masks.par_chunks_exact_mut(area))
            .zip(chosen)
            .map(|((image, mask), &i)| {
                if self.stop.load(Ordering::Relaxed) {
                    return Ok(());
                }
                self.augment(&self.items[i], epoch, image, mask)
            })
            .collect();
        if self.stop.load(Ordering::Relaxed) {
            return None;
        }
        let again = chosen.iter().map(|&i| self.comes_again(&self.items[i])).collect();
        let ends_epoch = step.is_multiple_of(self.per_epoch);
        let batch = Batch { step, epoch, ends_epoch, images, masks, again, size: chosen.len() };
        Some(results.into_iter().collect::<Result<(), _>>().map(|()| batch))
    }

    /// Whether an item's pixels are the same in many epochs.
    fn comes_again(&self, item: &TrainItem) -> bool {
        let Loading { weak, strong, base_size, crop, .. } = &self.loading;
        only_flips(weak, *base_size, *crop) && (!item.strong || strong.is_off())
    }

    /// One item into its place: `(3, S, S)` and `(S, S)`.
    fn augment(
        &self,
        item: &TrainItem,
        epoch: u64,
        image_out: &mut [f32],
        mask_out: &mut [u8],
    ) -> Result<(), LoadError> {
        let loading = &self.loading;
        let (image, mask) = self.samples.sample(&item.id)?;
        let (image_size, mask_size) = ((image.width, image.height), (mask.width, mask.height));
        if image_size != mask_size {
            return Err(LoadError::Sizes { id: item.id.clone(), image: image_size, mask: mask_size });
        }
        let name = item.address();
        let at = Address { seed: loading.seed, role: &loading.role, epoch, item: &name };
        let mut pair = weak(&image, &mask, &loading.weak, loading.base_size, loading.crop, &at);
        if item.strong {
            pair = strong(pair, &loading.strong, &at);
        }
        normalize_into(&pair.image, &loading.normalisation, image_out);
        mask_out.copy_from_slice(&pair.mask.data);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::augment::Augment;
    use std::collections::{BTreeMap, BTreeSet};
    use std::sync::atomic::AtomicUsize;

    /// Pictures whose colour tells their id.
    #[derive(Default)]
    struct Colours {
        read: AtomicUsize,
        fails_at: Vec<String>,
        panics: bool,
    }

    impl Samples for Colours {
        fn sample(&self, id: &str) -> Result<(Arc<Rgb>, Arc<Mask>), SampleError> {
            self.read.fetch_add(1, Ordering::SeqCst);
            assert!(!self.panics, "the disk is on fire");
            if self.fails_at.iter().any(|fails| fails == id) {
                return Err(SampleError { id: id.into(), source: "no such file".into() });
            }
            let number: u8 = id.parse().unwrap();
            let data = (0..20 * 14 * 3).map(|i| (i as u8).wrapping_mul(number)).collect();
            let width = if number == 99 { 19 } else { 20 };
            Ok((Arc::new(Rgb::new(20, 14, data)), Arc::new(Mask::filled(width, 14, number))))
        }
    }

    fn items(ids: std::ops::Range<u32>) -> Arc<[TrainItem]> {
        let item = |id: u32, repeat| TrainItem {
            id: id.to_string(),
            repeat,
            strong: id.is_multiple_of(2),
            labeled: true,
        };
        ids.flat_map(|id| [item(id, 0), item(id, 1)]).collect()
    }

    fn loading() -> Loading {
        let Augment { weak, strong } = Augment::default();
        Loading {
            seed: 1,
            role: "student".into(),
            batch: 4,
            crop: 12,
            base_size: 16,
            drop_last: false,
            weak,
            strong,
            normalisation: Normalisation::IMAGENET,
            first_step: 1,
            total_steps: 11,
            prefetch: 0,
            pool: None,
        }
    }

    fn all(loading: Loading) -> Vec<Batch> {
        batches(items(0..9), Arc::new(Colours::default()), loading).map(Result::unwrap).collect()
    }

    fn with_threads(n: usize) -> Option<Arc<rayon::ThreadPool>> {
        Some(Arc::new(rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap()))
    }

    #[test]
    fn a_caller_on_the_only_thread_of_its_pool_gets_its_batches() {
        let expected = all(loading());
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        assert!(pool.install(|| all(Loading { prefetch: 2, ..loading() })) == expected);
    }

    #[test]
    fn prefetch_and_threads_change_nothing() {
        let expected = all(loading());
        for prefetch in [0, 1, 4] {
            for threads in [1, 2, 4] {
                let got = all(Loading { prefetch, pool: with_threads(threads), ..loading() });
                assert!(got == expected, "prefetch {prefetch}, {threads} threads");
            }
        }
        assert!(all(Loading { prefetch: 2, ..loading() }) == expected);
    }

    #[test]
    fn starting_at_a_step_is_skipping_those_before() {
        let whole = all(loading());
        for first_step in [1, 2, 5, 6, 11, 12] {
            let rest = all(Loading { first_step, prefetch: 2, ..loading() });
            assert!(rest == whole[first_step as usize - 1..], "from step {first_step}");
        }
    }

    #[test]
    fn each_epoch_has_each_item_once() {
        // 18 items at 4 a step: 5 steps an epoch, the last of 2 images.
        let whole = all(Loading { total_steps: 10, ..loading() });
        assert_eq!(whole.iter().map(|b| b.step).collect::<Vec<_>>(), (1..=10).collect::<Vec<_>>());
        assert_eq!(whole.iter().map(|b| b.epoch).collect::<Vec<_>>(), [1, 1, 1, 1, 1, 2, 2, 2, 2, 2]);
        let ends: Vec<u64> = whole.iter().filter(|b| b.ends_epoch).map(|b| b.step).collect();
        assert_eq!(ends, [5, 10]);
        assert_eq!(whole.iter().map(|b| b.size).collect::<Vec<_>>(), [4, 4, 4, 4, 2, 4, 4, 4, 4, 2]);
        for epoch in whole.chunks(5) {
            let mut ids: Vec<u8> = epoch
                .iter()
                .flat_map(|b| b.masks.chunks(144))
                .map(|mask| *mask.iter().min().unwrap())
                .collect();
            ids.sort_unstable();
            assert_eq!(ids, (0..9).flat_map(|id| [id, id]).collect::<Vec<_>>());
        }
        let dropped = all(Loading { total_steps: 10, drop_last: true, ..loading() });
        assert!(dropped.iter().all(|b| b.size == 4) && dropped[4].epoch == 2);
    }

    #[test]
    fn the_repeats_of_an_image_and_its_epochs_are_augmented_anew() {
        let one = || Arc::<[TrainItem]>::from(&items(7..8)[..]);
        let loading = Loading { batch: 2, total_steps: 2, ..loading() };
        let got: Vec<Batch> =
            batches(one(), Arc::new(Colours::default()), loading).map(Result::unwrap).collect();
        let pictures: Vec<&[f32]> = got.iter().flat_map(|b| b.images.chunks(3 * 144)).collect();
        for i in 0..4 {
            for j in 0..i {
                assert_ne!(pictures[i], pictures[j], "{i} {j}");
            }
        }
    }

    #[test]
    fn images_that_come_again_are_marked_and_do_come_again() {
        // Long sides of 12 fit the crop; items with even ids ask for strong augmentation.
        let fixed = Weak { scale: [0.75, 0.75], flip: 0.5 };
        let few = |loading: Loading| {
            let mut pictures = BTreeMap::<u8, BTreeSet<Vec<u32>>>::new();
            let (mut marked, mut all_marks) = (BTreeSet::new(), BTreeSet::new());
            for batch in all(Loading { total_steps: 40, ..loading }) {
                for (index, &again) in batch.again.iter().enumerate() {
                    let id = *batch.masks[index * 144..][..144].iter().min().unwrap();
                    let pixels =
                        batch.images[index * 3 * 144..][..3 * 144].iter().map(|v| v.to_bits()).collect();
                    pictures.entry(id).or_default().insert(pixels);
                    all_marks.insert((id, again));
                    marked.extend(again.then_some(id));
                }
            }
            assert_eq!(all_marks.len(), pictures.len(), "an item's mark is always the same");
            assert!(marked.iter().all(|id| pictures[id].len() <= 2), "{marked:?}");
            marked.into_iter().collect::<Vec<_>>()
        };
        let mut off = Augment::default().strong;
        (off.jitter.p, off.grayscale.p, off.blur.p, off.cutout.p) = (0.0, 0.0, 0.0, 0.0);
        assert_eq!(few(Loading { weak: fixed.clone(), ..loading() }), [1, 3, 5, 7]);
        assert_eq!(few(Loading { weak: fixed, strong: off, ..loading() }), [0, 1, 2, 3, 4, 5, 6, 7, 8]);
        assert!(few(loading()).is_empty());
    }

    #[test]
    fn an_error_names_the_image_and_ends_the_batches() {
        for prefetch in [0, 2] {
            let samples = Arc::new(Colours { fails_at: vec!["3".into()], ..Colours::default() });
            let got: Vec<_> = batches(items(0..9), samples, Loading { prefetch, ..loading() }).collect();
            assert!(got.len() <= 5 && got[..got.len() - 1].iter().all(Result::is_ok));
            let error = got.last().unwrap().as_ref().unwrap_err();
            assert_eq!(error.to_string(), "read the training image `3`");
            assert_eq!(std::error::Error::source(error).unwrap().to_string(), "no such file");
        }
    }

    #[test]
    fn of_several_errors_in_a_batch_the_first_images_is_reported() {
        // The mask of a picture is its id everywhere, so the first batch tells the order.
        let first = batches(items(0..9), Arc::new(Colours::default()), loading()).next().unwrap().unwrap();
        let ids: Vec<String> =
            first.masks.chunks(144).map(|mask| mask.iter().min().unwrap().to_string()).collect();
        assert_ne!(ids[1], ids[3]);
        for _ in 0..20 {
            let samples =
                Arc::new(Colours { fails_at: vec![ids[3].clone(), ids[1].clone()], ..Colours::default() });
            let loading = Loading { prefetch: 2, pool: with_threads(4), ..loading() };
            let error = batches(items(0..9), samples, loading).next().unwrap().unwrap_err();
            assert_eq!(error.to_string(), format!("read the training image `{}`", ids[1]));
        }
    }

    #[test]
    fn a_mask_of_another_size_is_an_error() {
        let got = batches(items(99..100), Arc::new(Colours::default()), loading()).next().unwrap();
        assert_eq!(
            got.unwrap_err().to_string(),
            "load `99`: the image is 20x14, its mask 19x14; they must have the same size"
        );
    }

    #[test]
    fn a_list_too_short_for_a_batch_is_an_error() {
        let loading = Loading { batch: 3, drop_last: true, ..loading() };
        let mut got = batches(items(0..1), Arc::new(Colours::default()), loading);
        assert!(matches!(got.next(), Some(Err(LoadError::NoBatch { items: 2, batch: 3 }))));
        assert!(got.next().is_none());
    }

    #[test]
    fn dropping_the_batches_ends_the_work() {
        let samples = Arc::new(Colours::default());
        let loading = Loading { prefetch: 3, total_steps: u64::MAX, ..loading() };
        let mut endless = batches(items(0..9), Arc::clone(&samples) as Arc<dyn Samples>, loading);
        assert_eq!(endless.next().unwrap().unwrap().step, 1);
        drop(endless);
        // The thread was joined: it holds no sample source, and no more than 1 + 3 + 1 batches were begun.
        assert_eq!(Arc::strong_count(&samples), 1);
        assert!(samples.read.load(Ordering::SeqCst) <= 5 * 4);
    }

    #[test]
    #[should_panic(expected = "the disk is on fire")]
    fn a_panic_while_loading_is_not_the_end_of_the_training() {
        let samples = Arc::new(Colours { panics: true, ..Colours::default() });
        batches(items(0..9), samples, Loading { prefetch: 2, ..loading() }).for_each(drop);
    }
}
