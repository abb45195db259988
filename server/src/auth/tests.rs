//! Keys as they are written in files, and tokens of every kind that is taken and of those that must not be. The signed
//! examples are those of RFC 7515 (appendix A) and RFC 8037: this code has not signed them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::http;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use highwater_core::{stream::StreamName, topic::Topics};
use jsonwebtoken::{Algorithm, Header};
use ring::hmac;
use serde_json::{Value, json};
use tempfile::NamedTempFile;

use super::{
    keys::{KeyFault, Keys},
    *,
};

const SECRET: &[u8; 32] = b"thirty-two bytes of a shared key";
const RSA_1024: &str = "-----BEGIN PUBLIC KEY-----
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDrz0xxvOpnTOyfunixRQ7aEH7r
Be9Y4hOymyfpey3N0KueXYEqahxBMXV3QP5D1BNHnj2/Yk5daZQBDqsFXcvyuM94
8zfmxnPYSzkmOYz31XZkWq3K1Xollq91DF23eNHPZLDp22Uw5Sa/ujp32ioxDpAM
HsmI0FYcp5hb9hyQQwIDAQAB
-----END PUBLIC KEY-----
";
const P384: &str = "-----BEGIN PUBLIC KEY-----
MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEL8izl+vCV+GPb/WT5v415cLjirMNKGXX
CGx6vz0zRq6G3Sa2DBmElWDNzri+OSOYedPrPPgN5HFgKG5AU5kNfRphpg5z2IgQ
NxKgELVZOwyvAY3PiAqkHoLZ+B30tM/M
-----END PUBLIC KEY-----
";
const ED25519: &str = "-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEANSfKKwEzPgWe0rBNFZxt4PIH5gJzKlRKxWRfnQSDuBE=
-----END PUBLIC KEY-----
";
/// RFC 7515, appendix A: the claims of A.1 to A.3, which expired in 2011.
const RFC_CLAIMS: &str =
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";

fn key_file(content: impl AsRef<[u8]>) -> NamedTempFile {
    let file = NamedTempFile::new().unwrap();
    std::fs::write(&file, content).unwrap();
    file
}

fn auth_with(content: impl AsRef<[u8]>, settings: Settings) -> Auth {
    let file = key_file(content);
    Auth::load(&Settings { auth_keys: file.path().to_owned(), ..settings }).unwrap()
}

fn verify(auth: &Auth, token: &str) -> Result<Access, Unauthorized> {
    let headers = HeaderMap::from_iter([(http::header::AUTHORIZATION, format!("Bearer {token}").parse().unwrap())]);
    auth.access(&Method::GET, &headers)
}

fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn signed(header: &Value, claims: &Value) -> String {
    let [header, claims] = [header, claims].map(|part| BASE64URL.encode(part.to_string()));
    let message = format!("{header}.{claims}");
    let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET), message.as_bytes());
    format!("{message}.{}", BASE64URL.encode(signature))
}

/// Claims that are good, with some of them changed; `null` takes one away.
fn claims(changes: Value) -> Value {
    let mut claims = json!({ "sub": "tester", "exp": now_s() + 60 });
    let members = claims.as_object_mut().unwrap();
    members.extend(changes.as_object().unwrap().clone());
    members.retain(|_, value| !value.is_null());
    claims
}

fn of_claims(changes: Value) -> Result<Access, Unauthorized> {
    verify(&auth_with(SECRET, Settings::default()), &signed(&json!({ "alg": "HS256" }), &claims(changes)))
}

#[test]
fn other_implementations_signatures_are_checked() {
    let jwks = json!({ "keys": [
        { "kty": "oct", "kid": "hs",
          "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow" },
        { "kty": "RSA", "kid": "rs", "e": "AQAB",
          "n": "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ" },
        { "kty": "EC", "kid": "es", "crv": "P-256",
          "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0" },
        { "kty": "OKP", "kid": "ed", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" },
    ]});
    let auth = auth_with(jwks.to_string(), Settings::default());
    for (header, signature) in [
        ("eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
        (
            "eyJhbGciOiJSUzI1NiJ9",
            "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
        ),
        (
            "eyJhbGciOiJFUzI1NiJ9",
            "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
        ),
    ] {
        let token = format!("{header}.{RFC_CLAIMS}.{signature}");
        // The signature is good, and what it stands for can't be used: the examples have no subject.
        assert!(matches!(verify(&auth, &token), Err(Unauthorized::Claims(_))), "{header}: {:?}", verify(&auth, &token));
        let changed = token.replace(RFC_CLAIMS, &RFC_CLAIMS.replace("MTkzODAs", "MTkzODEs"));
        assert_ne!(changed, token);
        assert_eq!(verify(&auth, &changed).unwrap_err(), Unauthorized::Signature, "{header}");
    }
    let example = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    assert!(
        matches!(verify(&auth, example), Err(Unauthorized::Claims(_))),
        "its signature is good, its text no claims"
    );
    assert_eq!(verify(&auth, &example.replace(".RX", ".RY")).unwrap_err(), Unauthorized::Signature);
}

#[test]
fn files_of_keys_are_what_they_say() {
    let kind = |content: &[u8]| {
        let keys = Keys::parse(content).unwrap();
        [Algorithm::HS256, Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA]
            .map(|algorithm| keys.find(&Header::new(algorithm)).is_ok())
    };
    let [hs256, eddsa] = [[true, false, false, false], [false, false, false, true]];
    assert_eq!(kind(ED25519.as_bytes()), eddsa);
    assert_eq!(kind(SECRET), hs256);
    assert_eq!(kind(&[0xFF; 32]), hs256);
    assert_eq!(kind(b"base64:dGhpcnR5LXR3byBieXRlcyBvZiBhIHNoYXJlZCBrZXk=\n"), hs256);
    let unused = json!({ "keys": [
        { "kty": "RSA", "alg": "RSA-OAEP", "use": "enc", "n": "AQAB", "e": "AQAB" },
        { "kty": "unheard", "x": 7 },
        { "kty": "OKP", "crv": "Ed25519", "use": "sig", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" },
    ]});
    assert_eq!(kind(unused.to_string().as_bytes()), eddsa);
}

#[test]
fn files_that_would_be_no_use_are_refused() {
    let fault = |content: &str| Keys::parse(content.as_bytes()).err().expect("no keys");
    let jwks = |keys: Value| json!({ "keys": keys }).to_string();
    let ed = json!({ "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" });
    let with = |key: &Value, name: &str, value: Value| {
        let mut key = key.clone();
        key[name] = value;
        key
    };
    assert_eq!(fault(RSA_1024), KeyFault::RsaSize);
    assert_eq!(fault(P384), KeyFault::Malformed);
    assert_eq!(fault(&ED25519.replace("PUBLIC", "PRIVATE")), KeyFault::Private);
    assert_eq!(fault(&ED25519.replace("PUBLIC", "EC PRIVATE")), KeyFault::Private);
    assert_eq!(fault(&ED25519.replace("PUBLIC KEY", "CERTIFICATE")), KeyFault::Pem);
    assert_eq!(fault(&ED25519.replace("MCow", "AAAA")), KeyFault::Pem);
    assert_eq!(fault(&ED25519.repeat(2)), KeyFault::Pem);
    assert_eq!(fault("secret\n"), KeyFault::ShortSecret { bytes: 6 });
    assert_eq!(fault(""), KeyFault::ShortSecret { bytes: 0 });
    assert_eq!(fault("base64:dGhp!"), KeyFault::Base64);
    assert!(matches!(fault("{\"keys\":7}"), KeyFault::Jwks(_)));
    assert_eq!(fault(&jwks(json!([]))), KeyFault::NoneUsable);
    assert_eq!(fault(&jwks(json!([with(&ed, "use", "enc".into())]))), KeyFault::NoneUsable);
    assert_eq!(fault(&jwks(json!([with(&ed, "alg", "ES256".into())]))), KeyFault::NoneUsable);
    assert_eq!(fault(&jwks(json!([with(&ed, "key_ops", json!(["sign"]))]))), KeyFault::NoneUsable);
    assert_eq!(fault(&jwks(json!([with(&ed, "d", "AAAA".into())]))), KeyFault::Private);
    assert_eq!(fault(&jwks(json!([with(&ed, "x", "AAAA".into())]))), KeyFault::Malformed);
    assert_eq!(fault(&jwks(json!([{ "kty": "oct", "k": "AAAA" }]))), KeyFault::ShortSecret { bytes: 3 });
    assert_eq!(fault(&jwks(json!([with(&ed, "kid", "a".into()), ed]))), KeyFault::KeyIds);
    assert_eq!(fault(&jwks(json!([with(&ed, "kid", "a".into()), with(&ed, "kid", "a".into())]))), KeyFault::KeyIds);
    assert_eq!(fault(&jwks(vec![ed; 65].into())), KeyFault::TooMany);
    assert_eq!(fault(&" ".repeat(1024 * 1024 + 1)), KeyFault::TooLong);
    let missing = Auth::load(&Settings { auth_keys: "/nonexistent/keys".into(), ..Settings::default() });
    let error = missing.err().expect("there is no such file").to_string();
    assert!(error.contains("/nonexistent/keys"), "{error}");
}

#[test]
fn a_key_serves_its_own_algorithm_and_id_only() {
    let secret = BASE64URL.encode(SECRET);
    let one = json!({ "keys": [{ "kty": "oct", "kid": "a", "k": secret }] }).to_string();
    let two = json!({ "keys": [
        { "kty": "oct", "kid": "a", "k": secret },
        { "kty": "oct", "kid": "b", "k": BASE64URL.encode([7; 32]) },
    ]})
    .to_string();
    let outcome = |jwks: &str, header: Value| {
        verify(&auth_with(jwks, Settings::default()), &signed(&header, &claims(json!({})))).map(|_| ())
    };
    assert_eq!(outcome(&one, json!({ "alg": "HS256" })), Ok(()));
    assert_eq!(outcome(&one, json!({ "alg": "HS256", "kid": "a" })), Ok(()));
    assert_eq!(outcome(&one, json!({ "alg": "HS256", "kid": "b" })), Err(Unauthorized::Key));
    assert_eq!(outcome(&two, json!({ "alg": "HS256", "kid": "a" })), Ok(()));
    assert_eq!(outcome(&two, json!({ "alg": "HS256", "kid": "b" })), Err(Unauthorized::Signature));
    assert_eq!(outcome(&two, json!({ "alg": "HS256" })), Err(Unauthorized::Key), "it does not say which");
    for other in ["HS384", "HS512", "RS256", "ES256", "EdDSA"] {
        assert_eq!(outcome(&one, json!({ "alg": other, "kid": "a" })), Err(Unauthorized::Key), "{other}");
    }
    for strange in ["none", "None", "hs256", ""] {
        assert_eq!(outcome(&one, json!({ "alg": strange })), Err(Unauthorized::Malformed), "{strange}");
    }
    let critical = json!({ "alg": "HS256", "crit": ["exp"] });
    assert_eq!(outcome(&one, critical), Err(Unauthorized::Malformed));
}

/// The classic attack: what everybody knows, the public key, taken for the secret of an HMAC.
#[test]
fn a_public_key_is_no_secret() {
    for public in [ED25519.as_bytes(), ED25519.trim().as_bytes()] {
        let header = BASE64URL.encode(json!({ "alg": "HS256" }).to_string());
        let message = format!("{header}.{}", BASE64URL.encode(claims(json!({})).to_string()));
        let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, public), message.as_bytes());
        let token = format!("{message}.{}", BASE64URL.encode(signature));
        assert_eq!(verify(&auth_with(ED25519, Settings::default()), &token).unwrap_err(), Unauthorized::Key);
    }
}

#[test]
fn what_is_no_token_is_refused() {
    let auth = auth_with(SECRET, Settings::default());
    let good = signed(&json!({ "alg": "HS256" }), &claims(json!({})));
    verify(&auth, &good).unwrap();
    let (unsigned, _) = good.rsplit_once('.').unwrap();
    for (token, error) in [
        ("", Unauthorized::Malformed),
        ("a", Unauthorized::Malformed),
        ("a.b.c", Unauthorized::Malformed),
        ("....", Unauthorized::Malformed),
        (&format!("{good}.x"), Unauthorized::Malformed),
        (&format!("{unsigned}."), Unauthorized::Signature),
        (unsigned, Unauthorized::Malformed),
        (&format!("{good}AAAA"), Unauthorized::Signature),
        (&"a".repeat(token::TOKEN_BYTES_MAX + 1), Unauthorized::TooLong),
    ] {
        assert_eq!(verify(&auth, token).unwrap_err(), error, "{token:.80}");
    }
    let no_claims = signed(&json!({ "alg": "HS256" }), &json!([1]));
    assert!(matches!(verify(&auth, &no_claims), Err(Unauthorized::Claims(_))));
}

#[test]
fn times_are_judged_with_some_leeway() {
    let now_s = now_s();
    assert!(of_claims(json!({ "exp": now_s - 5 })).is_ok());
    assert!(of_claims(json!({ "exp": now_s - 60 })).is_err_and(|error| error == Unauthorized::Expired));
    assert!(of_claims(json!({ "nbf": now_s + 5 })).is_ok());
    assert!(of_claims(json!({ "nbf": now_s + 60 })).is_err_and(|error| error == Unauthorized::NotYet));
    for bad in [json!(null), json!("soon"), json!(-1), json!([1])] {
        assert!(matches!(of_claims(json!({ "exp": bad })), Err(Unauthorized::Claims(_))), "{bad}");
    }
    assert!(matches!(of_claims(json!({ "nbf": "soon" })), Err(Unauthorized::Claims(_))));

    let remaining = of_claims(json!({ "exp": now_s + 60 })).unwrap().remaining().unwrap();
    assert!((Duration::from_secs(60)..=Duration::from_secs(71)).contains(&remaining), "{remaining:?}");
    let remaining = of_claims(json!({ "exp": 1e18 })).unwrap().remaining().unwrap();
    assert!(remaining <= Duration::from_secs(365 * 24 * 60 * 60), "{remaining:?}");
    assert_eq!(Access::everything().remaining(), None);
}

#[test]
fn issuer_and_audience_are_judged_where_they_are_set() {
    let of = |issuer: &str, audience: &str, claims: Value| {
        let settings = Settings { auth_issuer: issuer.into(), auth_audience: audience.into(), ..Settings::default() };
        verify(&auth_with(SECRET, settings), &signed(&json!({ "alg": "HS256" }), &claims)).map(|_| ())
    };
    assert_eq!(of("us", "", claims(json!({ "iss": "us" }))), Ok(()));
    assert_eq!(of("us", "", claims(json!({ "iss": "them" }))), Err(Unauthorized::Issuer));
    assert!(matches!(of("us", "", claims(json!({}))), Err(Unauthorized::Claims(_))));
    assert_eq!(of("", "", claims(json!({ "iss": "anybody" }))), Ok(()));
    assert_eq!(of("", "log", claims(json!({ "aud": ["other", "log"] }))), Ok(()));
    assert_eq!(of("", "log", claims(json!({ "aud": "other" }))), Err(Unauthorized::Audience));
    assert!(matches!(of("", "log", claims(json!({}))), Err(Unauthorized::Claims(_))));
    assert_eq!(of("", "", claims(json!({ "aud": "other" }))), Err(Unauthorized::Audience), "it is for somebody else");
}

#[test]
fn claims_say_what_may_be_done() {
    let stream = |name: &str| StreamName::new(name).unwrap();
    let topics = |topics: &[&str]| Topics::new(topics.iter().copied()).unwrap();
    let access = of_claims(json!({ "highwater": { "read": ["space:42:**", "news:*"], "operate": true } })).unwrap();
    assert_eq!(access.principal().map(|principal| &**principal), Some("tester"));
    assert_eq!(access.read(&topics(&["space:42:tasks:*", "news:today"])), Ok(()));
    let wider = access.read(&topics(&["space:42:tasks:*", "space:**"]));
    assert_eq!(wider, Err(Forbidden::Read("space:**".parse().unwrap())));
    assert!(access.may_read(&stream("space:42:x")) && !access.may_read(&stream("space:43:x")));
    assert_eq!(access.operate(), Ok(()));

    let nothing = of_claims(json!({})).unwrap();
    assert!(nothing.read(&topics(&["a:b"])).is_err() && !nothing.may_read(&stream("a:b")));
    assert_eq!(nothing.operate(), Err(Forbidden::Operate));

    for bad in [
        json!({ "highwater": { "read": ["space:**:x"] } }),
        json!({ "highwater": { "read": "space:**" } }),
        json!({ "highwater": { "reads": ["space:**"] } }),
        json!({ "highwater": { "append": vec!["a:b"; 65] } }),
        json!({ "highwater": { "sources": ["two words"] } }),
        json!({ "highwater": { "sources": vec!["a"; 65] } }),
        json!({ "highwater": null, "sub": "" }),
        json!({ "sub": null }),
        json!({ "sub": 7 }),
        json!({ "sub": "x".repeat(256) }),
    ] {
        assert!(matches!(of_claims(bad.clone()), Err(Unauthorized::Claims(_))), "{bad}");
    }
}

#[test]
fn keys_that_were_good_stay_until_there_are_others() {
    let file = key_file(SECRET);
    let auth = Auth::load(&Settings { auth_keys: file.path().to_owned(), ..Settings::default() }).unwrap();
    let token = signed(&json!({ "alg": "HS256" }), &claims(json!({})));
    std::fs::write(&file, "short").unwrap();
    assert!(auth.reload().is_err());
    verify(&auth, &token).unwrap();
    std::fs::write(&file, [7; 32]).unwrap();
    auth.reload().unwrap();
    assert_eq!(verify(&auth, &token).unwrap_err(), Unauthorized::Signature);
}

#[test]
fn nobody_gets_in_before_the_keys_are_there() {
    let headers = HeaderMap::new();
    let asking = Settings { auth_keys: "keys".into(), ..Settings::default() };
    assert!(Auth::without_keys(&asking).access(&Method::GET, &headers).is_err());
    assert!(Auth::without_keys(&Settings::default()).access(&Method::GET, &headers).is_ok());
}
