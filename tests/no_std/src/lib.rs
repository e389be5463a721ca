//! A firmware's view of the library: no `std`, no allocator. If the library or one of its
//! dependencies brought either along, this would not link: `std` has a panic handler of its own,
//! and `alloc` asks for an allocator.

#![no_std]

use countersign::{Header, Request, SecretKey, SigningKey, Timestamp, Verifier};

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

/// Whether a request for `/` with this authorization is good.
#[unsafe(no_mangle)]
pub extern "C" fn verifies(now: i64, authorization: &[u8; 256]) -> bool {
    let headers = [
        Header { name: "host", value: b"device" },
        Header { name: "authorization", value: authorization },
    ];
    let request = Request { method: "GET", target: "/", headers: &headers };
    let Some(now) = Timestamp::from_unix(now) else { return false };
    let Ok(claim) = Verifier::s3("us-east-1").read(&request, now) else { return false };
    let Ok(secret) = SecretKey::new("secret") else { return false };
    let key = SigningKey::derive(&secret, &claim.scope());
    claim.verify(&key).is_ok()
}
