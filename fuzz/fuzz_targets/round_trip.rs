//! A request made up by a client: what can be signed verifies, in every form, with the same canonical
//! request and the same body, and with no other key; what cannot be signed (in the header) is refused
//! unread for the same reason, unless it is what the signer adds that makes it too large; a signed request with one change is refused or leaves what the
//! application sees as it was.

#![no_main]

use countersign::{Error, ReadError, RequestError, SignError, VerifyError};
use countersign_fuzz::{Draft, Form, Holder, Way, now, verify};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|draft: Draft| {
    let (rules, holder) = (draft.rules(), draft.holder());
    let stranger = Holder { secret: "another secret", ..draft.holder() };
    let verify = |message: &_, holder: &_| verify(&rules, message, holder, now(), Way::WHOLE);
    for form in [Form::Header, Form::Query, Form::Stream] {
        let wire = match draft.sign(form) {
            Ok(wire) => wire,
            Err(SignError::Request(error)) if matches!(form, Form::Header) => {
                let refused = verify(&draft.message, &holder).err();
                let grown =
                    matches!(error, RequestError::TooManyHeaders | RequestError::HeadTooLong)
                        && refused == Some(ReadError::Anonymous.into());
                assert!(grown || refused == Some(ReadError::Request(error).into()), "{refused:?}");
                continue;
            }
            Err(_) => continue,
        };
        let seen = match verify(&wire.message, &holder) {
            Ok(seen) => seen,
            Err(error) => panic!("{form:?}: {error:?}: {:?}", wire.message),
        };
        assert_eq!(seen.canonical, wire.canonical);
        assert_eq!(seen.data, draft.message.body);
        assert!(seen.end.is_ok(), "{form:?}: {:?}", seen.end);
        let refused = verify(&wire.message, &stranger).err();
        assert_eq!(refused, Some(Error::from(VerifyError::SignatureMismatch)));

        if let Some(changed) = wire.message.edited(draft.edit) {
            seen.tolerates(&verify(&changed, &holder));
        }
    }
});
