use super::{Address, Pair, blur, cutout, grayscale, jitter};
use crate::spec::augment::Strong;

/// Strong data augmentation in the official order (`dataset/semi.py`: "strong augmentation on unlabeled images").
/// `params.on` was decided by the caller.
pub fn strong(mut pair: Pair, params: &Strong, at: &Address<'_>) -> Pair {
    jitter::random_jitter(&mut pair.image, &params.jitter, &mut at.stream("jitter"));
    grayscale::random_grayscale(&mut pair.image, &params.grayscale, &mut at.stream("grayscale"));
    blur::random_blur(&mut pair.image, &params.blur, &mut at.stream("blur"));
    cutout::random_cutout(&mut pair, &params.cutout, &mut at.stream("cutout"));
    pair
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::augment::reference;
    use crate::spec::augment::Augment;

    fn run(params: &Strong, item: &str) -> Pair {
        let pair = Pair { image: reference::image(), mask: reference::mask() };
        strong(pair, params, &Address { seed: 0, role: "student", epoch: 1, item })
    }

    fn without_all() -> Strong {
        let mut off = Augment::default().strong;
        (off.jitter.p, off.grayscale.p, off.blur.p, off.cutout.p) = (0.0, 0.0, 0.0, 0.0);
        off
    }

    #[test]
    fn with_all_probabilities_zero_nothing_happens() {
        let untouched = Pair { image: reference::image(), mask: reference::mask() };
        for i in 0..20 {
            assert_eq!(run(&without_all(), &format!("{i}#0")), untouched);
        }
    }

    #[test]
    fn switching_the_others_off_does_not_move_the_hole() {
        let official = Augment::default().strong;
        let only_cutout = Strong { cutout: official.cutout.clone(), ..without_all() };
        let mut holes = 0;
        for i in 0..40 {
            let item = format!("{i}#0");
            let (all, one) = (run(&official, &item), run(&only_cutout, &item));
            assert_eq!(all.mask, one.mask, "item {item}");
            holes += usize::from(all.mask != reference::mask());
        }
        assert!((8..32).contains(&holes), "{holes} of 40 with probability one half");
    }

    #[test]
    fn parts_run_in_the_official_order_from_their_own_streams() {
        let mut params = Augment::default().strong;
        (params.jitter.p, params.grayscale.p, params.blur.p, params.cutout.p) = (1.0, 1.0, 1.0, 1.0);
        let at = Address { seed: 0, role: "student", epoch: 1, item: "a#0" };
        let mut pair = Pair { image: reference::image(), mask: reference::mask() };
        jitter::random_jitter(&mut pair.image, &params.jitter, &mut at.stream("jitter"));
        grayscale::grayscale(&mut pair.image);
        blur::random_blur(&mut pair.image, &params.blur, &mut at.stream("blur"));
        cutout::random_cutout(&mut pair, &params.cutout, &mut at.stream("cutout"));
        assert_eq!(run(&params, "a#0"), pair);
    }
}
