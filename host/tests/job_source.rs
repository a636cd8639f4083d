//! What a backend can ask of the source model, the model's own tokenizer included.

mod model_folder;

use llm_quantize::job::JobSource;
use llm_quantize::model::Model;
use llmq_plugin_api::client::Source;
use llmq_plugin_api::sdk::Kind;
use llmq_plugin_api::wire::{self, ModelDescription};
use model_folder::{Folder, tiny_model};

fn open(path: &std::path::Path) -> JobSource<'static> {
    JobSource::new(Box::new(Model::open(path).unwrap()))
}

#[test]
fn text_goes_through_the_models_own_tokenizer_and_back() {
    let source = open(&tiny_model());
    let text = "The river runs to the sea.";
    let ids = source.encode_text(text, false).unwrap();
    assert!(ids.len() > 1 && ids.len() <= text.len(), "{ids:?}");
    assert_eq!(source.decode_tokens(&ids).unwrap().trim(), text);
}

#[test]
fn a_model_without_tokenizer_says_so() {
    let folder = tempfile::tempdir().unwrap();
    Folder::llama().write(folder.path());
    let error = open(folder.path()).encode_text("a", false).unwrap_err();
    assert_eq!((error.kind, error.subject.as_str()), (Kind::UnsupportedModel, "tokenizer.json"));
}

#[test]
fn a_broken_tokenizer_is_an_error_every_time() {
    let folder = tempfile::tempdir().unwrap();
    Folder::llama().file("tokenizer.json", b"{\"model\": 1}").write(folder.path());
    let source = open(folder.path());
    for _ in 0..2 {
        let error = source.decode_tokens(&[1]).unwrap_err();
        assert!(error.message.contains("tokenizer.json is not usable"), "{}", error.message);
    }
}

#[test]
fn tensors_rows_files_and_their_limits() {
    let folder = tempfile::tempdir().unwrap();
    Folder::llama().write(folder.path());
    let source = open(folder.path());
    let description: ModelDescription = wire::decode("model description", &source.description()).unwrap();
    let count = description.tensors.len() as u32;
    assert_eq!(source.tensor(0).unwrap().data.len(), 12 * 8 * 4);
    assert!(source.tensor(count).is_err());
    let mut row = [0f32; 8];
    source.read_rows(0, 11, &mut row).unwrap();
    assert_eq!(row[1] - row[0], 0.125);
    assert!(source.read_rows(0, 12, &mut row).is_err());
    assert!(source.file("config.json").unwrap().starts_with(b"{"));
    assert!(source.file("../model/config.json").is_err());
}
