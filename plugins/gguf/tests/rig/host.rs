//! Threads and an output file in memory.

use llmq_plugin_api::client::{Destination, Services};
use llmq_plugin_api::sdk::Error;
use llmq_plugin_api::wire::Plan;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Services on `threads` scoped threads.
pub struct Host {
    pub threads: u32,
    pub cancelled: AtomicBool,
    /// Cancels itself once this many weights were reported.
    pub cancel_after: Option<u64>,
    pub progress: AtomicU64,
}

impl Host {
    pub fn new(threads: u32) -> Host {
        Host { threads, cancelled: AtomicBool::new(false), cancel_after: None, progress: AtomicU64::new(0) }
    }
}

impl Services for Host {
    fn log(&self, _level: u32, _message: &str) {}

    fn progress(&self, done: u64, total: u64) {
        assert!(done <= total, "{done} of {total}");
        self.progress.fetch_max(done, Ordering::Relaxed);
        if self.cancel_after.is_some_and(|limit| done >= limit) {
            self.cancelled.store(true, Ordering::Relaxed);
        }
    }

    fn cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    fn threads(&self) -> u32 {
        self.threads
    }

    fn parallel_for(&self, count: u64, job: &(dyn Fn(u64) + Sync)) {
        let next = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..self.threads {
                scope.spawn(|| {
                    loop {
                        let index = next.fetch_add(1, Ordering::Relaxed);
                        if index >= count {
                            break;
                        }
                        job(index);
                    }
                });
            }
        });
    }

    fn reserve(&self, _bytes: u64) -> Result<u64, Error> {
        Ok(0)
    }

    fn release(&self, _token: u64) {}

    fn device(&self) -> String {
        "cpu".into()
    }
}

/// One output file. Every byte of a slot must be written exactly once.
pub struct Memory {
    plan: Plan,
    state: Mutex<(Vec<u8>, Vec<u8>)>,
}

impl Memory {
    pub fn new(plan: &Plan) -> Memory {
        let bytes = plan.files[0].bytes as usize;
        Memory { plan: plan.clone(), state: Mutex::new((vec![0; bytes], vec![0; bytes])) }
    }

    pub fn literal(&self, index: usize, data: &[u8]) {
        let span = &self.plan.literals[index];
        assert_eq!(data.len() as u64, span.bytes);
        self.put(span.offset, data);
    }

    fn put(&self, offset: u64, data: &[u8]) {
        let mut state = self.state.lock().unwrap();
        let range = offset as usize..offset as usize + data.len();
        state.0[range.clone()].copy_from_slice(data);
        state.1[range].iter_mut().for_each(|count| *count += 1);
    }

    /// The file, after checking that every byte of every slot was written once.
    pub fn finish(self) -> Vec<u8> {
        let (bytes, counts) = self.state.into_inner().unwrap();
        for slot in &self.plan.slots {
            let range = slot.offset as usize..(slot.offset + slot.bytes) as usize;
            assert!(counts[range].iter().all(|count| *count == 1), "slot `{}` was not written exactly once", slot.name);
        }
        bytes
    }
}

impl Destination for Memory {
    fn write(&self, slot: u32, offset: u64, data: &[u8]) -> Result<(), Error> {
        let slot = &self.plan.slots[slot as usize];
        assert!(offset + data.len() as u64 <= slot.bytes, "write beyond slot `{}`", slot.name);
        self.put(slot.offset + offset, data);
        Ok(())
    }

    fn feedback(&self, _tensor: u32, _first_row: u64, _rows: &[f32]) -> Result<(), Error> {
        Ok(())
    }
}
