//! How calls are answered.

use axum::Json;
use axum::extract::FromRequest;
use axum::extract::rejection::JsonRejection;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;

use super::super::wire::{Answer, Failure, named};
use crate::fault::{Fault, FaultClass};

/// What could not be done.
#[derive(Debug)]
pub(super) struct Refusal(pub(super) Fault);

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Refusal(fault)
    }
}

impl From<JsonRejection> for Refusal {
    fn from(rejection: JsonRejection) -> Self {
        Refusal(Fault::new(FaultClass::BadName, rejection.body_text()))
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let Fault { class, retry_after, message } = self.0;
        let (name, status) = named(class);
        let status = StatusCode::from_u16(status).expect("a status of the table");
        let retry_after_ms = retry_after.map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
        let failure = Failure { success: false, message, class: name.to_owned(), retry_after_ms };
        let mut response = (status, Json(failure)).into_response();
        if let Some(wait) = retry_after {
            // Whole seconds are all that the header can say.
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// A JSON body, whose errors are answered like all others.
pub(super) struct Request<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Request<T> {
    type Rejection = Refusal;

    async fn from_request(request: axum::extract::Request, state: &S) -> Result<Self, Refusal> {
        let Json(body) = Json::from_request(request, state).await?;
        Ok(Request(body))
    }
}

pub(super) type Answered<T> = Result<Json<Answer<T>>, Refusal>;

pub(super) fn answer<T>(message: &str, data: T) -> Json<Answer<T>> {
    Json(Answer { success: true, message: message.to_owned(), data })
}
