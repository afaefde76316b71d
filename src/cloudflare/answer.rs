//! An HTTP answer judged: the result it holds, or why there is none. Pure.
//!
//! The envelope is `success`, `errors[]`, `result`, `result_info` (facts §3.1). We are lenient with
//! it: errors can be null or missing, older endpoints answer with a bare `code` and `error`, and the
//! edge answers with HTML.

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, LOCATION, RETRY_AFTER};
use serde_json::Value;

use super::error::{ApiError, Cause, Problem};
use crate::http::{is_page, tame};

/// What a call that succeeded brought.
#[derive(Debug, PartialEq)]
pub(super) struct Answer {
    /// `result`.
    pub result: Value,
    /// `result_info`, or null.
    pub info: Value,
}

/// The result in an answer, or the failure it is; `secret` is cut out of every text.
pub(super) fn judge(
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    secret: &str,
) -> Result<Answer, ApiError> {
    let fail = |cause| ApiError { ..failure(cause, status, headers, secret) };
    let text = |name| header(headers, name);
    if text("cf-mitigated") == Some("challenge") {
        return Err(fail(Cause::Challenge).detail("a bot challenge"));
    }
    if status.is_redirection() {
        let target = text(LOCATION.as_str()).map_or_else(
            || "a redirect".to_owned(),
            |to| format!("a redirect to {}, which is not followed", tame(to, secret)),
        );
        return Err(fail(Cause::BadAnswer).detail(target));
    }
    if is_page(body) && !status.is_server_error() && status != StatusCode::TOO_MANY_REQUESTS {
        return Err(fail(Cause::Challenge).detail("a web page"));
    }
    let envelope = serde_json::from_slice::<Value>(body);
    let problems = envelope.as_ref().map_or_else(|_| Vec::new(), |envelope| problems(envelope, secret));
    if !status.is_success() {
        return Err(ApiError {
            transient: status.is_server_error(),
            problems: problems.clone(),
            ..fail(cause_of(status, &problems))
        });
    }
    let Ok(Value::Object(mut envelope)) = envelope else {
        let detail = match envelope {
            _ if body.is_empty() => "nothing in it",
            Err(error) if error.is_eof() => "json that is cut off",
            Err(_) => "something that is not json",
            Ok(_) => "json that is not the api's",
        };
        return Err(fail(Cause::BadAnswer).detail(detail));
    };
    if envelope.get("success") == Some(&Value::Bool(false)) {
        return Err(ApiError { problems: problems.clone(), ..fail(cause_of(status, &problems)) });
    }
    match envelope.remove("result") {
        Some(result) => Ok(Answer { result, info: envelope.remove("result_info").unwrap_or_default() }),
        None => Err(fail(Cause::BadAnswer).detail("json that is not the api's")),
    }
}

/// A failure with what status and headers say about it.
pub(super) fn failure(cause: Cause, status: StatusCode, headers: &HeaderMap, secret: &str) -> ApiError {
    ApiError {
        status: Some(status.as_u16()),
        ray: header(headers, "cf-ray").map(|ray| tame(ray, secret).into()),
        // Seconds only: Cloudflare sends no dates here, and a date would need a clock.
        retry_after: header(headers, RETRY_AFTER.as_str()).and_then(|text| text.trim().parse().ok()),
        ..ApiError::new(cause)
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// The status decides, save where a code says more: the API answers a credential that is none with
/// 400 as well as with 401.
fn cause_of(status: StatusCode, problems: &[Problem]) -> Cause {
    let unknown =
        |problem: &Problem| matches!(problem.code, Some(1000 | 6003 | 6103 | 6111 | 9103 | 9106 | 10001));
    match status.as_u16() {
        401 => Cause::Unauthorized,
        403 => Cause::Forbidden,
        404 => Cause::NotFound,
        429 => Cause::RateLimited,
        500.. => Cause::Server,
        _ if problems.iter().any(unknown) => Cause::Unauthorized,
        _ => Cause::Refused,
    }
}

/// Every problem that an envelope tells, those of an `error_chain` after the one they explain.
fn problems(envelope: &Value, secret: &str) -> Vec<Problem> {
    let mut found = Vec::new();
    match &envelope["errors"] {
        Value::Array(errors) => errors.iter().for_each(|e| problem(e, secret, &mut found)),
        other => problem(other, secret, &mut found),
    }
    if found.is_empty() {
        problem(envelope, secret, &mut found);
    }
    found.truncate(8);
    found
}

fn problem(value: &Value, secret: &str, found: &mut Vec<Problem>) {
    let code = match &value["code"] {
        Value::String(text) => text.parse().ok(),
        other => other.as_u64(),
    };
    let message = [value, &value["message"], &value["error"], &value["error"]["message"]]
        .into_iter()
        .find_map(Value::as_str)
        .unwrap_or_default();
    if code.is_some() || !message.is_empty() {
        found.push(Problem {
            code: code.or_else(|| value["error"]["code"].as_u64()),
            message: tame(message, secret),
        });
    }
    if let Value::Array(chain) = &value["error_chain"] {
        // One level: what the API sends. Deeper ones would let an answer decide how deep we go.
        for link in chain {
            if let Some(code) = link["code"].as_u64() {
                let message = tame(link["message"].as_str().unwrap_or_default(), secret);
                found.push(Problem { code: Some(code), message });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(status: u16, headers: &[(&'static str, &str)], body: &str) -> Result<Answer, ApiError> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().expect("header"));
        }
        let status = StatusCode::from_u16(status).expect("status");
        judge(status, &map, body.as_bytes(), "hunter2")
    }

    #[test]
    fn a_result_is_found_in_a_whole_and_in_a_lean_envelope() {
        for body in [
            r#"{"success":true,"errors":[],"messages":[],"result":{"id":"x"}}"#,
            r#"{"success":true,"errors":null,"result":{"id":"x"}}"#,
            r#"{"result":{"id":"x"}}"#,
        ] {
            assert_eq!(judged(200, &[], body).expect(body).result["id"], "x");
        }
    }

    #[test]
    fn a_failure_has_its_cause_codes_and_ray() {
        let table = [
            (
                401,
                r#"{"success":false,"errors":[{"code":1000,"message":"Invalid API Token"}]}"#,
                Cause::Unauthorized,
                Some(1000),
            ),
            (
                400,
                r#"{"errors":[{"code":6003,"message":"Invalid request headers","error_chain":[{"code":6111,"message":"Invalid format"}]}]}"#,
                Cause::Unauthorized,
                Some(6111),
            ),
            (400, r#"{"code":9106,"error":"Missing headers"}"#, Cause::Unauthorized, Some(9106)),
            (403, r#"{"code":"10000","message":"no"}"#, Cause::Forbidden, Some(10000)),
            (403, r#"{"error":{"code":9109,"message":"no"}}"#, Cause::Forbidden, Some(9109)),
            (403, r#"{"errors":["no"]}"#, Cause::Forbidden, None),
            (403, "", Cause::Forbidden, None),
            (404, r#"{"errors":[{"code":7003}]}"#, Cause::NotFound, Some(7003)),
            (418, "{}", Cause::Refused, None),
            (429, "slow down", Cause::RateLimited, None),
            (502, "<html>bad gateway</html>", Cause::Server, None),
            (200, r#"{"success":false,"errors":[{"code":1000}]}"#, Cause::Unauthorized, Some(1000)),
            (200, r#"{"success":false,"errors":null}"#, Cause::Refused, None),
        ];
        for (status, body, cause, code) in table {
            let error = judged(status, &[("cf-ray", "8f")], body).expect_err(body);
            assert_eq!((error.cause, error.ray.as_deref()), (cause, Some("8f")), "{body}");
            assert!(code.is_none_or(|code| error.has_code(code)), "{body}: {error:?}");
        }
    }

    #[test]
    fn what_the_api_does_not_say_is_a_bad_answer_or_a_challenge() {
        let html = ("content-type", "text/html; charset=UTF-8");
        let table: [(u16, &[_], &str, Cause, &str); 10] = [
            (200, &[], "", Cause::BadAnswer, "nothing in it"),
            (200, &[], "hello", Cause::BadAnswer, "not json"),
            (200, &[], r#"{"success":tr"#, Cause::BadAnswer, "cut off"),
            (200, &[], "[1]", Cause::BadAnswer, "not the api's"),
            (200, &[], r#"{"ok":"yes"}"#, Cause::BadAnswer, "not the api's"),
            (
                307,
                &[("location", "http://evil/hunter2")],
                "",
                Cause::BadAnswer,
                "redirect to http://evil/[secret]",
            ),
            (200, &[html], "hi", Cause::BadAnswer, "not json"),
            (200, &[html], "\u{feff} <html>", Cause::Challenge, "web page"),
            (403, &[], "<!DOCTYPE html>", Cause::Challenge, "web page"),
            (503, &[("cf-mitigated", "challenge")], "", Cause::Challenge, "challenge"),
        ];
        for (status, headers, body, cause, detail) in table {
            let error = judged(status, headers, body).expect_err(body);
            assert_eq!(error.cause, cause, "{body}");
            assert!(error.detail.as_ref().is_some_and(|d| d.contains(detail)), "{error:?}");
            assert!(!error.transient, "{error:?}");
        }
        // The status says what it is, also where a server calls every answer a web page.
        for (status, cause) in [(401, Cause::Unauthorized), (403, Cause::Forbidden), (404, Cause::NotFound)] {
            for body in ["", r#"{"success":false}"#] {
                assert_eq!(judged(status, &[html], body).expect_err(body).cause, cause);
            }
        }
    }

    #[test]
    fn a_secret_that_is_echoed_is_cut_out_and_a_wait_is_read() {
        let body = r#"{"errors":[{"code":1000,"message":"hunter2 is\nunknown"}]}"#;
        let error = judged(401, &[("cf-ray", "hunter2")], body).expect_err("refused");
        assert!(!format!("{error:?} {error}").contains("hunter2"), "{error:?}");
        let error = judged(429, &[("retry-after", "7")], "").expect_err("limited");
        assert_eq!(error.retry_after, Some(7));
    }
}
