//! The networks from which users have logged in, in bounded memory. Pure: the caller passes the time.

use std::time::Duration;

use crate::{authenticator::throttle::drain_times::Key, expiring_map::ExpiringMap};

/// For how long a network is known as one of a user, after the last valid credentials.
const KNOWN_FOR: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The maximum number of users. Each takes up to 400 bytes.
const MAX_USERS: usize = 50_000;

/// The maximum number of networks of a user. A new one replaces the user's own oldest, so a user with many
/// addresses makes no network of another user unknown, unless their user-ids fold to the same text.
const MAX_NETWORKS: usize = 8;

#[derive(Debug)]
pub(crate) struct KnownNetworks {
    /// The networks of each user, and until when they are known. The last one was used last.
    users: ExpiringMap<Key, Vec<(Key, Duration)>, Duration>,
}

impl Default for KnownNetworks {
    fn default() -> Self {
        Self { users: ExpiringMap::new(MAX_USERS) }
    }
}

impl KnownNetworks {
    pub(crate) fn contains(&self, user: Key, network: Key, now: Duration) -> bool {
        let networks = self.users.get(&user, now).map_or(&[][..], Vec::as_slice);
        networks.iter().any(|(it, until)| *it == network && now < *until)
    }

    pub(crate) fn insert(&mut self, user: Key, network: Key, now: Duration) {
        let mut networks = self.users.remove(&user).unwrap_or_default();
        networks.retain(|(it, until)| *it != network && now < *until);
        if networks.len() >= MAX_NETWORKS {
            networks.remove(0);
        }
        let until = now.saturating_add(KNOWN_FOR);
        networks.push((network, until));
        self.users.insert(user, networks, until, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::ZERO;

    #[test]
    fn network_is_known_for_seven_days_after_each_login() {
        let mut all = KnownNetworks::default();
        all.insert(1, 10, NOW);
        all.insert(1, 11, KNOWN_FOR / 2);
        assert!(all.contains(1, 10, KNOWN_FOR.saturating_sub(Duration::from_nanos(1))));
        assert!(!all.contains(1, 10, KNOWN_FOR));
        assert!(all.contains(1, 11, KNOWN_FOR));
        assert!(!all.contains(2, 10, NOW));
    }

    #[test]
    fn user_with_many_networks_forgets_its_own_oldest() {
        let mut all = KnownNetworks::default();
        all.insert(1, 10, NOW);
        for network in 0..1_000_000 {
            all.insert(2, network, NOW);
        }
        assert!(all.contains(1, 10, NOW));
        assert!((999_992..1_000_000).all(|it| all.contains(2, it, NOW)));
        assert!(!all.contains(2, 999_991, NOW));
        all.insert(2, 999_992, NOW);
        all.insert(2, 5, NOW);
        assert!(all.contains(2, 999_992, NOW), "it was used again");
    }

    #[test]
    fn users_are_bounded() {
        let mut all = KnownNetworks::default();
        for user in 0..=50_000 {
            all.insert(user, 10, Duration::from_nanos(user));
        }
        assert!(!all.contains(0, 10, NOW));
        assert_eq!(all.users.len(), MAX_USERS);
    }
}
