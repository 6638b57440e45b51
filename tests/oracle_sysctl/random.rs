//! A small seeded generator (SplitMix64), so that a seed is a tree.

pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        // Mixed once, or the stream of a seed would be that of its neighbour, one step on.
        Self(Self(seed).next())
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[usize::try_from(self.below(items.len() as u64)).unwrap()]
    }

    pub fn bytes(&mut self, items: &[&'static [u8]]) -> &'static [u8] {
        self.pick::<&'static [u8]>(items)
    }
}
