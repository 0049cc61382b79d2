//! A minimal HTTP client that opens a new connection for each request.

use http_body_util::{BodyExt, Full};
use hyper::{
    Request, Response,
    body::{Bytes, Incoming},
    client::conn::http1,
    header,
};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

pub(crate) type Error = Box<dyn std::error::Error + Send + Sync>;

/// Sends the request unchanged and reads the whole response.
pub(crate) async fn send(
    address: &str,
    request: Request<Full<Bytes>>,
) -> Result<Response<Bytes>, Error> {
    let (parts, body) = begin(address, request).await?.into_parts();
    Ok(Response::from_parts(parts, body.collect().await?.to_bytes()))
}

/// Sends the request unchanged and reads only the head of the response.
pub(crate) async fn begin(
    address: &str,
    request: Request<Full<Bytes>>,
) -> Result<Response<Incoming>, Error> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection.with_upgrades());
    Ok(sender.send_request(request).await?)
}

/// Sends JSON in a POST request and reads JSON from the response.
pub(crate) async fn post(address: &str, path: &str, body: &Value) -> Result<Value, Error> {
    let body = serde_json::to_vec(body)?;
    let request = Request::post(path)
        .header(header::HOST, address)
        .header(header::CONTENT_TYPE, "application/json")
        .body(Full::from(body))?;
    Ok(serde_json::from_slice(send(address, request).await?.body())?)
}
