//! The simulator over HTTP: its own client sees what the worlds are, and others find the routes that they know.

use std::time::Duration;

use longhaul_spectra::http::{Client, Server};
use longhaul_spectra::{ChaosConfig, FaultClass, FaultRule, Operation, OperationFilter, RateConfig, Spectra};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::setup::{NOW, contents, first_path, is_file, names, small, world};

fn served() -> (Spectra, Server) {
    let simulator = small();
    let server = Server::start(simulator.clone(), "127.0.0.1", 0).unwrap();
    (simulator, server)
}

fn client(server: &Server, world: &str) -> Client {
    Client::new(&server.url(), world).unwrap()
}

async fn ask(server: &Server, method: Method, route: &str, body: Option<Value>) -> (StatusCode, Value) {
    let request = reqwest::Client::new().request(method, format!("{}{route}", server.url()));
    let request = if let Some(body) = body { request.json(&body) } else { request };
    let response = request.send().await.unwrap();
    (response.status(), response.json().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_sees_the_worlds_as_they_are() {
    let (simulator, server) = served();
    for name in ["primary", "s1"] {
        let (here, there) = (world(&simulator, name), client(&server, name));
        let path = first_path(&here, is_file);
        let info = here.stat(&path, NOW).result.unwrap();
        assert_eq!(there.stat(&path).await.unwrap(), info);
        let size = usize::try_from(info.size).unwrap();
        let all = contents(&here, &path);
        assert_eq!(there.read(&path, 0, size + 9).await.unwrap(), all);
        assert_eq!(there.read(&path, 7, 30).await.unwrap(), all[7..37]);
        assert!(
            there.read(&path, info.size, 5).await.unwrap().is_empty()
                && there.read(&path, 0, 0).await.unwrap().is_empty()
        );
        for limit in [1, 3, 1_000] {
            let (mut listed, mut after) = (Vec::new(), None::<Vec<u8>>);
            loop {
                let page = there.list(b"/", after.as_deref(), limit).await.unwrap();
                listed.extend(page.entries.iter().map(|entry| entry.name.to_vec()));
                match page.next {
                    Some(next) => after = Some(next),
                    None => break,
                }
            }
            assert_eq!(listed, names(&here, b"/", limit), "{name} by {limit}");
        }
        assert_eq!(there.count().await.unwrap(), here.count().unwrap().total.nodes());
    }
    let there = client(&server, "primary");
    assert_eq!(there.worlds().await.unwrap(), simulator.worlds());
    assert_eq!(there.config().await.unwrap(), *simulator.config());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_client_writes_is_there_whole_whatever_its_name_and_size() {
    let (simulator, server) = served();
    let (here, there) = (world(&simulator, "s1"), client(&server, "s1"));
    there.create_folder(b"/caf\xe9").await.unwrap();
    assert_eq!(there.create_folder(b"/caf\xe9").await.unwrap_err().class, FaultClass::AlreadyExists);
    for (name, size) in [(&b"/caf\xe9/empty"[..], 0), (b"/caf\xe9/\"small\" % \n\xff", 3_000), (b"/large", 9 << 20)] {
        let bytes: Vec<u8> = (0_u32..).flat_map(u32::to_le_bytes).take(size).collect();
        let mut file = there.begin_file(name, false);
        for piece in bytes.chunks(1_500_000) {
            file.append(piece).await.unwrap();
            assert_eq!(here.stat(name, NOW).result.unwrap_err().class, FaultClass::Vanished);
        }
        file.finish(-5).await.unwrap();
        assert_eq!(here.stat(name, NOW).result.unwrap().modified_ns, -5);
        assert_eq!(contents(&here, name), bytes);
        assert_eq!(there.begin_file(name, false).finish(0).await.unwrap_err().class, FaultClass::AlreadyExists);
        there.set_modified(name, 77).await.unwrap();
        assert_eq!(there.stat(name).await.unwrap().modified_ns, 77);
    }
    let listed = there.list(b"/caf\xe9", None, 10).await.unwrap();
    assert_eq!(listed.entries.len(), 2);
    let mut given_up = there.begin_file(b"/given-up", false);
    given_up.append(&vec![1; 9 << 20]).await.unwrap();
    given_up.give_up().await;
    assert_eq!(here.stat(b"/given-up", NOW).result.unwrap_err().class, FaultClass::Vanished);
    there.remove_tree(b"/caf\xe9").await.unwrap();
    assert_eq!(there.stat(b"/caf\xe9/empty").await.unwrap_err().class, FaultClass::Vanished);
    there.flush().await.unwrap();
    there.reset().await.unwrap();
    assert_eq!(there.stat(b"/large").await.unwrap_err().class, FaultClass::Vanished);
    assert_eq!(here.count().unwrap(), world(&small(), "s1").count().unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_and_patience_are_told_as_they_are_and_not_to_who_is_undisturbed() {
    let (simulator, server) = served();
    let there = client(&server, "primary");
    for class in [FaultClass::Transient, FaultClass::Denied, FaultClass::NoSpace, FaultClass::Fatal] {
        let rule = FaultRule { operation: OperationFilter::Only(Operation::GetNode), ..FaultRule::new(class) };
        simulator.set_chaos(ChaosConfig { faults: vec![rule], ..ChaosConfig::default() }).unwrap();
        let fault = there.stat(b"/").await.unwrap_err();
        assert_eq!(fault.class, class);
        assert!(fault.message.contains("injected fault"), "{fault}");
        assert!(there.undisturbed().stat(b"/").await.is_ok());
    }
    let mut chaos = ChaosConfig::default();
    chaos.rate_limits.global = Some(RateConfig { calls_per_second: 0.25, burst: 1 });
    simulator.set_chaos(chaos).unwrap();
    there.list(b"/", None, 9).await.unwrap();
    let fault = there.list(b"/", None, 9).await.unwrap_err();
    assert_eq!(fault.class, FaultClass::Throttled);
    assert!(fault.retry_after.is_some_and(|wait| wait > Duration::from_secs(3) && wait <= Duration::from_secs(4)));
    let (before, counted) = (there.listings().await.unwrap(), there.undisturbed());
    counted.list(b"/", None, 9).await.unwrap();
    assert_eq!(there.listings().await.unwrap(), before);
    drop(server);
    assert_eq!(there.stat(b"/").await.unwrap_err().class, FaultClass::Transient);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_routes_that_are_known_of_old_answer_as_they_did() {
    let (simulator, server) = served();
    let (status, health) = ask(&server, Method::GET, "/health", None).await;
    assert_eq!((status, &health["status"]), (StatusCode::OK, &json!("healthy")));

    let by_path = json!({ "parent_path": "/", "table_name": "primary" });
    let (_, listed) = ask(&server, Method::POST, "/api/v1/items/list", Some(by_path)).await;
    assert_eq!(listed["success"], true);
    let folder = &listed["folders"][0];
    assert_eq!(
        (&folder["name"], &folder["path"], &folder["type"]),
        (&json!("folder_1"), &json!("/folder_1"), &json!("folder"))
    );
    let by_id = json!({ "parent_id": folder["id"] });
    let (_, below) = ask(&server, Method::POST, "/api/v1/items/list", Some(by_id)).await;
    let file = &below["files"][0];
    assert_eq!((&file["parent_id"], &file["depth_level"]), (&folder["id"], &json!(2)));

    let id = file["id"].as_str().unwrap();
    for route in ["items", "node"] {
        let (_, node) = ask(&server, Method::GET, &format!("/api/v1/{route}/{id}"), None).await;
        assert_eq!(node["data"]["existence_map"]["primary"], true);
        assert_eq!(node["data"]["size"], file["size"]);
    }
    let (_, data) = ask(&server, Method::GET, &format!("/api/v1/items/{id}/data"), None).await;
    assert_eq!(data["data"]["size"], file["size"]);
    assert_eq!(data["data"]["checksum"].as_str().unwrap().len(), 64);

    let new = json!({ "parent_path": "/", "table_name": "s1", "name": "new" });
    let (status, made) = ask(&server, Method::POST, "/api/v1/items/folder", Some(new.clone())).await;
    assert_eq!((status, &made["data"]["path"]), (StatusCode::CREATED, &json!("/new")));
    let (status, refused) = ask(&server, Method::POST, "/api/v1/items/folder", Some(new)).await;
    assert_eq!((status, &refused["success"]), (StatusCode::CONFLICT, &json!(false)));
    let new = json!({ "parent_id": made["data"]["id"], "name": "a.txt", "data": "aGVsbG8=" });
    let (status, file) = ask(&server, Method::POST, "/api/v1/items/file", Some(new)).await;
    assert_eq!((status, &file["data"]["size"]), (StatusCode::CREATED, &json!(5)));
    assert_eq!(contents(&world(&simulator, "s1"), b"/new/a.txt"), b"hello");
    let id = file["data"]["id"].as_str().unwrap();
    let (status, _) = ask(&server, Method::DELETE, &format!("/api/v1/node/{id}"), None).await;
    assert_eq!(status, StatusCode::OK);

    let (_, tables) = ask(&server, Method::GET, "/api/v1/tables", None).await;
    assert_eq!(
        tables["data"],
        json!([{ "name": "primary", "table_type": "primary" }, { "name": "s1", "table_type": "secondary" }])
    );
    let (_, count) = ask(&server, Method::GET, "/api/v1/tables/primary/count", None).await;
    let (_, counted) = ask(&server, Method::GET, "/api/v1/stats", None).await;
    let whole = |value: &Value| value.as_u64().unwrap();
    let (files, folders) = (whole(&counted["data"]["file_count"]), whole(&counted["data"]["folder_count"]));
    assert_eq!(whole(&count["data"]["count"]), files + folders);
    let (_, config) = ask(&server, Method::GET, "/api/v1/config", None).await;
    assert_eq!(config["data"]["seed"]["seed"], 11);
    assert_eq!(ask(&server, Method::POST, "/api/v1/reset", None).await.0, StatusCode::OK);
    assert_eq!(world(&simulator, "s1").stat(b"/new", NOW).result.unwrap_err().class, FaultClass::Vanished);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_makes_no_sense_is_refused_in_words() {
    let (_, server) = served();
    let post =
        async |route: &str, body: Value| ask(&server, Method::POST, &format!("/api/v1/{route}"), Some(body)).await;
    for (route, body, status, words) in [
        ("items/list", json!({}), 400, "parent_id"),
        ("items/list", json!({ "parent_path": 3, "table_name": "s1" }), 400, "expected a string"),
        ("items/list", json!({ "parent_path": "/none", "table_name": "s1" }), 404, "/none"),
        ("items/list", json!({ "parent_path": "/", "table_name": "s9" }), 404, "primary, s1"),
        ("items/folder", json!({ "parent_path": "/", "table_name": "s1" }), 400, "a name is required"),
        ("items/folder", json!({ "parent_path": "/", "table_name": "s1", "name": "a/b" }), 400, "a name is required"),
        ("items/folder", json!({ "parent_path": "/", "table_name": "s1", "name": ".." }), 400, ".."),
        ("items/file", json!({ "parent_path": "/", "table_name": "s1", "name": "a", "data": "?" }), 400, "base64"),
        ("uploads/9/finish", json!({ "size": 0 }), 404, "no upload"),
    ] {
        let (found, answer) = post(route, body).await;
        assert_eq!((found.as_u16(), &answer["success"]), (status, &json!(false)), "{route}: {answer}");
        assert!(answer["message"].as_str().unwrap().contains(words), "{route}: {answer}");
    }
    let (status, answer) = ask(&server, Method::GET, "/api/v1/nothing", None).await;
    assert_eq!((status, &answer["class"]), (StatusCode::NOT_FOUND, &json!("vanished")));
    let root =
        ask(&server, Method::POST, "/api/v1/items/list", Some(json!({ "parent_path": "/", "table_name": "s1" })))
            .await
            .1;
    let parent = root["folders"][0]["parent_id"].as_str().unwrap().to_owned();
    let (status, _) = ask(&server, Method::DELETE, &format!("/api/v1/node/{parent}"), None).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
}
