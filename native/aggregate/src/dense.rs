//! Exponential buckets as plain values: what a reader gets, merges, subtracts and asks.

/// A run of buckets; bucket `offset + i` at `scale` holds `counts[i]` magnitudes.
///
/// Coarsening is exact: at `scale - 1` each bucket is two neighbouring ones together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dense {
    /// The buckets' bounds are powers of `2^(2^-scale)`.
    pub scale: i32,
    /// Index of the first bucket.
    pub offset: i32,
    /// Counts by bucket.
    pub counts: Vec<u64>,
}

/// By how much the scale must fall for the buckets `low ..= high` to be at most `max_size` (at least 2).
///
/// ```
/// assert_eq!(aggregate::dense::change_of_scale(-1, 8, 10), 0);
/// assert_eq!(aggregate::dense::change_of_scale(-1, 9, 10), 1); // -1 ..= 4
/// ```
#[must_use]
pub fn change_of_scale(low: i32, high: i32, max_size: u32) -> i8 {
    // After 31 steps only the buckets -1 and 0 are left.
    (0..31)
        .find(|&change| (high >> change).abs_diff(low >> change) < max_size)
        .unwrap_or(31)
}

impl Dense {
    /// No values, at `scale`. Keeps the memory.
    pub fn clear(&mut self, scale: i32) {
        self.scale = scale;
        self.offset = 0;
        self.counts.clear();
    }

    /// Copy `other`, into the memory at hand.
    pub fn copy_from(&mut self, other: &Self) {
        self.scale = other.scale;
        self.offset = other.offset;
        self.counts.clone_from(&other.counts);
    }

    /// How many values there are.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Whether there are no values.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.counts.iter().all(|&count| count == 0)
    }

    /// Indices of the first and the last bucket that is not empty.
    #[must_use]
    pub fn range(&self) -> Option<(i32, i32)> {
        let first = self.counts.iter().position(|&count| count > 0)?;
        let last = self.counts.iter().rposition(|&count| count > 0)?;
        Some((self.index(first), self.index(last)))
    }

    /// Drop empty buckets at both ends.
    pub fn trim(&mut self) {
        let Some((first, last)) = self.range() else {
            return self.clear(self.scale);
        };
        self.counts.truncate(self.position(last) + 1);
        let leading = self.position(first);
        self.counts.drain(..leading);
        self.offset = first;
    }

    /// Go to a coarser scale; a finer one changes nothing, since what was merged cannot be parted.
    ///
    /// ```
    /// # use aggregate::dense::Dense;
    /// let mut buckets = Dense { scale: 3, offset: -1, counts: vec![1, 2, 4, 8] };
    /// buckets.downscale_to(2);
    /// assert_eq!(buckets, Dense { scale: 2, offset: -1, counts: vec![1, 6, 8] });
    /// ```
    pub fn downscale_to(&mut self, scale: i32) {
        if scale >= self.scale {
            return;
        }
        let change = self.scale.abs_diff(scale).min(31);
        let offset = self.offset >> change;
        let mut merged = 0;
        for i in 0..self.counts.len() {
            let position = (self.index(i) >> change).abs_diff(offset) as usize;
            let count = std::mem::take(&mut self.counts[i]);
            self.counts[position] += count;
            merged = position + 1;
        }
        self.counts.truncate(merged);
        self.offset = offset;
        self.scale = scale;
    }

    /// Go to the finest scale at which the buckets in use, and all between them, are at most `max_size`.
    pub fn fit(&mut self, max_size: u32) {
        self.trim();
        if let Some((first, last)) = self.range() {
            let change = change_of_scale(first, last, max_size.max(2));
            self.downscale_to(self.scale - i32::from(change));
        }
    }

    /// Add the values of `other`; the result has the coarser of the two scales.
    pub fn merge(&mut self, other: &Self) {
        self.add(other.scale, other.buckets());
    }

    /// Add buckets that are given by index, ascending, and count; the result has the coarser of the two scales.
    pub fn add(
        &mut self,
        scale: i32,
        mut buckets: impl DoubleEndedIterator<Item = (i32, u64)> + Clone,
    ) {
        self.downscale_to(scale);
        let change = scale.abs_diff(self.scale).min(31);
        let all = buckets.clone();
        let Some((first, _)) = buckets.next() else {
            return;
        };
        let last = buckets.next_back().map_or(first, |(last, _)| last);
        self.make_room(first >> change, last >> change);
        for (index, count) in all {
            let position = self.position(index >> change);
            self.counts[position] += count;
        }
    }

    /// Take away buckets that were added before.
    pub fn remove(&mut self, scale: i32, buckets: impl Iterator<Item = (i32, u64)>) {
        self.downscale_to(scale);
        let change = scale.abs_diff(self.scale).min(31);
        for (index, count) in buckets {
            let position = self.position(index >> change);
            if let Some(place) = self.counts.get_mut(position) {
                *place = place.saturating_sub(count);
            }
        }
    }

    /// The buckets that were added since `earlier`, `None` if that is not contained, which is then no earlier read.
    ///
    /// `earlier` is brought to this scale.
    pub fn since(&self, earlier: &mut Self) -> Option<Vec<(i32, u64)>> {
        earlier.downscale_to(self.scale);
        let known = earlier.total();
        if earlier.scale != self.scale && known > 0 {
            return None;
        }
        let mut found = 0;
        let mut added = Vec::new();
        for (index, count) in self.buckets() {
            let before = earlier.count(index);
            found += before;
            if count != before {
                added.push((index, count.checked_sub(before)?));
            }
        }
        (found == known).then_some(added)
    }

    /// Take away the values of `earlier`, an earlier read of the same histogram or anything contained in this one.
    ///
    /// Returns whether it was contained; if not, for instance because the histogram was reset in between, only the
    /// scale may have changed.
    pub fn subtract(&mut self, earlier: &Self) -> bool {
        self.downscale_to(earlier.scale);
        if earlier.scale > self.scale {
            let mut coarser = earlier.clone();
            coarser.downscale_to(self.scale);
            return self.subtract(&coarser);
        }
        let contained = earlier
            .buckets()
            .all(|(index, count)| self.count(index) >= count);
        if contained {
            for (index, count) in earlier.buckets() {
                let position = self.position(index);
                self.counts[position] -= count;
            }
        }
        contained
    }

    /// How many values a bucket holds.
    #[must_use]
    pub fn count(&self, index: i32) -> u64 {
        let position = usize::try_from(i64::from(index) - i64::from(self.offset));
        position
            .ok()
            .and_then(|position| self.counts.get(position))
            .copied()
            .unwrap_or(0)
    }

    /// Indices and counts of the buckets that are not empty, ascending.
    #[must_use]
    pub fn buckets(&self) -> impl DoubleEndedIterator<Item = (i32, u64)> + Clone + '_ {
        let counts = self.counts.iter().enumerate();
        counts
            .filter(|(_, &count)| count > 0)
            .map(|(i, &count)| (self.index(i), count))
    }

    /// Bounds of a bucket at a scale: it holds what is above the first and not above the second.
    ///
    /// Where a bound is no normal number it is the nearest one.
    #[must_use]
    pub fn bounds(index: i32, scale: i32) -> (f64, f64) {
        (
            bound(i64::from(index), scale),
            bound(i64::from(index) + 1, scale),
        )
    }

    fn index(&self, position: usize) -> i32 {
        let position = i32::try_from(position).unwrap_or(i32::MAX);
        self.offset.saturating_add(position)
    }

    /// Position of a bucket that exists.
    fn position(&self, index: i32) -> usize {
        index.abs_diff(self.offset) as usize
    }

    fn make_room(&mut self, first: i32, last: i32) {
        if self.is_empty() {
            self.counts.clear();
            self.offset = first;
        }
        if first < self.offset {
            let missing = self.position(first);
            self.counts.splice(..0, std::iter::repeat_n(0, missing));
            self.offset = first;
        }
        let size = self.position(last) + 1;
        if size > self.counts.len() && last >= self.offset {
            self.counts.resize(size, 0);
        }
    }
}

#[allow(clippy::cast_precision_loss)] // indices have 32 bits
fn bound(index: i64, scale: i32) -> f64 {
    let power = (index as f64 * f64::from(-scale).exp2()).exp2();
    power.clamp(f64::MIN_POSITIVE, f64::MAX)
}

#[cfg(test)]
mod tests;
