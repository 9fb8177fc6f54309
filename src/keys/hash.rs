//! Secrets at rest: argon2id, as PHC strings.

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use secrecy::{ExposeSecret, SecretString};

/// Memory, passes and lanes: OWASP's password storage cheat sheet, argon2id with 19 MiB.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// Verified in place of a key that doesn't exist, so that an unknown id takes as long as a wrong secret.
/// It is the hash of 32 bytes that were thrown away, under the parameters above.
pub const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5IG5vYm9keSBubw$8c1u0pJ7Jt0nq9m1Zr2M0x6nqv2vO0u3c4m5bQ6a7Yk";

#[derive(Debug, thiserror::Error)]
#[error("argon2id could not hash: {0}")]
pub struct HashFault(String);

/// The PHC string of a secret, with a random salt. Takes about 20 ms of one core.
///
/// # Errors
/// When the operating system yields no randomness.
pub fn hash_secret(secret: &SecretString) -> Result<String, HashFault> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|e| HashFault(e.to_string()))?;
    let hash = Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password(secret.expose_secret().as_bytes())
        .map_err(|e| HashFault(e.to_string()))?;
    Ok(hash.to_string())
}

/// Whether `secret` is the one behind `phc`, compared in constant time. The parameters are those of the PHC string.
pub fn secret_matches(secret: &SecretString, phc: &str) -> bool {
    PasswordHash::new(phc)
        .is_ok_and(|hash| Argon2::default().verify_password(secret.expose_secret().as_bytes(), &hash).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_secret_matches_and_every_hash_is_salted() {
        let secret = SecretString::from("correct");
        let (one, other) = (hash_secret(&secret).unwrap(), hash_secret(&secret).unwrap());
        assert_ne!(one, other);
        assert!(one.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{one}");
        assert!(secret_matches(&secret, &one) && secret_matches(&secret, &other));
        assert!(!secret_matches(&"wrong".into(), &one));
        assert!(!secret_matches(&secret, "no PHC string"));
    }

    #[test]
    fn nobodys_hash_costs_what_a_real_one_costs() {
        let cost = |phc: &str| PasswordHash::new(phc).unwrap().params.to_string();
        assert_eq!(cost(NOBODY), cost(&hash_secret(&"x".into()).unwrap()));
        assert!(!secret_matches(&"x".into(), NOBODY));
    }
}
