use std::time::Duration;

use super::*;

#[tokio::test]
async fn work_is_done_beside_and_its_result_given() {
    let here = thread::current().id();
    let there = beside(|| thread::current().id()).await;
    assert!(there.is_some_and(|there| there != here));
}

#[tokio::test]
async fn what_is_no_longer_awaited_is_waited_for_at_the_end() {
    let (begun, beginning) = std::sync::mpsc::channel();
    let (go_on, going_on) = std::sync::mpsc::channel::<()>();
    let (ended, ending) = std::sync::mpsc::channel();
    let work = beside(move || {
        begun.send(()).unwrap();
        going_on.recv().unwrap();
        ended.send(()).unwrap();
    });
    // The work has begun; then what awaits it is dropped, as when the runtime ends.
    assert!(tokio::time::timeout(Duration::from_millis(1), work).await.is_err());
    beginning.recv().unwrap();
    assert!(*lock(&AT_WORK) > 0);
    go_on.send(()).unwrap();
    wait_for_all();
    ending.try_recv().unwrap();
}
