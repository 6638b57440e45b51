//! What a line is about, and the number by which `journalctl -x` finds the text that explains it.

/// Declares the kinds with their words and numbers.
macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $word:literal, $id:literal;)*) => {
        /// What a line of the journal is about.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Kind {
            $($(#[$doc])* $kind,)*
        }

        impl Kind {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$kind),*];

            /// The word in `KEEPALIVE_EVENT`.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self {
                    $(Self::$kind => $word,)*
                }
            }

            /// `MESSAGE_ID`, fixed for ever: alerts are built on it.
            #[must_use]
            pub const fn id(self) -> &'static str {
                match self {
                    $(Self::$kind => $id,)*
                }
            }
        }
    };
}

kinds! {
    /// A setting was wrong, and is right again.
    Corrected = "corrected", "93e346e56ec04e368031543dad6e700d";
    /// Steps that were carried out.
    Applied = "applied", "c441385f068a4efa952077b976e45957";
    /// A setting is wrong and stays so for now.
    Drift = "drift", "c86411da7b834341a525fc8482b4bf6a";
    /// What would be done, were it not for audit mode.
    Would = "would", "6db188bdd1ef4bd988ee4f78a7edc6ea";
    /// A step failed.
    Failed = "failed", "a2ced284e67043498e551fb89efbb1e9";
    /// What may not be touched.
    Refused = "refused", "09761b076e734368ad4958662a4e4bfb";
    /// What can't be enforced as declared.
    Conflict = "conflict", "a9731cac6ec940ad95036e74c5e7b0d4";
    /// Somebody else keeps changing a setting.
    Contested = "contested", "8a5fd010bcfb484e90f7745322b6fc85";
    /// All is well again.
    InForce = "in-force", "4473bef8804e4140a83e06c0498a852a";
    /// A policy was taken over.
    Policy = "policy", "d735d10c63a344169c228a69d67e9c6f";
    /// A policy was refused, the previous one stays.
    PolicyRefused = "policy", "8cd838690f424571b3a9118f42d679ec";
    /// Something can't be watched.
    Unwatched = "unwatched", "da1b7859fa8541f3b355f3dbd5bee556";
    /// Drift that no event had announced.
    Unheard = "unheard", "aafeacc8a9f04a69aaeda7bf8ad7f9d0";
    /// Worth knowing.
    Notice = "notice", "04cadf58daf34dabbaaf3b55c80cea43";
    /// Corrections are paused.
    Paused = "paused", "b0b0603e302b4d8b91182329642856fe";
    /// A pause is over, corrections go on.
    Resumed = "resumed", "e2e7254456f54e22ac12b48b320db4a8";
    /// A change was not confirmed.
    Unconfirmed = "unconfirmed", "6d76b769768c46a1b8af37eb923b1641";
    /// The daemon ends.
    Stop = "stop", "2ba5d61aaf8942169692822fcab2af6a";
}
