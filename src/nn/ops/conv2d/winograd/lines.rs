//! Lines of neighbouring values, a vector at a time.

/// Something that is done to values `at..at + N` of some lines, for neighbouring values all at once.
pub(super) trait Step {
    fn step<const N: usize>(&mut self, at: usize);
}

/// Does `step` to values `0..len`, in vectors where there are enough; the last one may overlap the one before.
#[inline(always)]
pub(super) fn along(len: usize, mut step: impl Step) {
    if len >= 8 {
        for block in 0..len / 8 {
            step.step::<8>(8 * block);
        }
        if !len.is_multiple_of(8) {
            step.step::<8>(len - 8);
        }
    } else if len >= 4 {
        step.step::<4>(0);
        step.step::<4>(len - 4);
    } else {
        for at in 0..len {
            step.step::<1>(at);
        }
    }
}

/// `N` values of a line.
#[inline(always)]
pub(super) fn load<const N: usize>(line: &[f32], at: usize) -> [f32; N] {
    line[at..at + N].try_into().expect("N values")
}

/// Writes `N` values of a line.
#[inline(always)]
pub(super) fn store<const N: usize>(line: &mut [f32], at: usize, values: [f32; N]) {
    line[at..at + N].copy_from_slice(&values);
}

/// Takes a line of pixels apart: `step` to `first`, `step` to `second`, and so on; it may end anywhere.
#[inline(always)]
pub(super) fn split(line: &[f32], step: usize, first: &mut [f32], second: &mut [f32]) {
    match step {
        1 => {
            let whole = line.len() / 16;
            for block in 0..whole {
                let both = load::<16>(line, 16 * block);
                let (mut a, mut b) = ([0.0; 8], [0.0; 8]);
                for i in 0..8 {
                    (a[i], b[i]) = (both[2 * i], both[2 * i + 1]);
                }
                store(first, 8 * block, a);
                store(second, 8 * block, b);
            }
            split_by(&line[16 * whole..], 1, &mut first[8 * whole..], &mut second[8 * whole..]);
        }
        2 => split_by(line, 2, first, second),
        4 => split_by(line, 4, first, second),
        _ => split_by(line, step, first, second),
    }
}

#[inline(always)]
fn split_by(line: &[f32], step: usize, first: &mut [f32], second: &mut [f32]) {
    let whole = line.len() / (2 * step);
    for block in 0..whole {
        let both = &line[2 * step * block..][..2 * step];
        copy(&both[..step], &mut first[step * block..][..step]);
        copy(&both[step..], &mut second[step * block..][..step]);
    }
    let rest = &line[2 * step * whole..];
    let (a, b) = rest.split_at(step.min(rest.len()));
    copy(a, &mut first[step * whole..][..a.len()]);
    copy(b, &mut second[step * whole..][..b.len()]);
}

/// Puts a line of pixels together: `step` of `first`, `step` of `second`, and so on; it may end anywhere.
#[inline(always)]
pub(super) fn join(first: &[f32], second: &[f32], step: usize, line: &mut [f32]) {
    match step {
        1 => {
            let whole = line.len() / 16;
            for block in 0..whole {
                let (a, b) = (load::<8>(first, 8 * block), load::<8>(second, 8 * block));
                let mut both = [0.0; 16];
                for i in 0..8 {
                    (both[2 * i], both[2 * i + 1]) = (a[i], b[i]);
                }
                store(line, 16 * block, both);
            }
            join_by(&first[8 * whole..], &second[8 * whole..], 1, &mut line[16 * whole..]);
        }
        2 => join_by(first, second, 2, line),
        4 => join_by(first, second, 4, line),
        _ => join_by(first, second, step, line),
    }
}

#[inline(always)]
fn join_by(first: &[f32], second: &[f32], step: usize, line: &mut [f32]) {
    let whole = line.len() / (2 * step);
    for block in 0..whole {
        let (a, b) = line[2 * step * block..][..2 * step].split_at_mut(step);
        copy(&first[step * block..][..step], a);
        copy(&second[step * block..][..step], b);
    }
    let rest = &mut line[2 * step * whole..];
    let (a, b) = rest.split_at_mut(step.min(rest.len()));
    copy(&first[step * whole..][..a.len()], a);
    copy(&second[step * whole..][..b.len()], b);
}

/// Copies without a call of `memcpy`, which costs more than most lines are long.
#[inline(always)]
fn copy(from: &[f32], to: &mut [f32]) {
    struct Copy<'a>(&'a [f32], &'a mut [f32]);
    impl Step for Copy<'_> {
        #[inline(always)]
        fn step<const N: usize>(&mut self, at: usize) {
            store(self.1, at, load::<N>(self.0, at));
        }
    }
    along(to.len(), Copy(from, to));
}
