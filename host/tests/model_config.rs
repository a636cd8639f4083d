//! config.json: class defaults, both spellings, and what is refused.

mod model_folder;

use llm_quantize::model::config::{
    Fields, class_and_family, read_attention_windows, read_hyperparameters, text_model_config,
};
use llm_quantize::model::family::Families;
use llm_quantize::model::{ModelError, ModelErrorKind};
use llmq_plugin_api::wire::{Hyperparameters, RopeScaling};
use model_folder::llama_config;
use proptest::prelude::*;
use serde_json::{Value, json};

fn read(config: &Value) -> Result<Hyperparameters, ModelError> {
    let text = text_model_config(config)?;
    let (_, family) = class_and_family(&text, Families::default())?;
    read_hyperparameters(&Fields::new(&text, family))
}

fn windows(config: &Value) -> Vec<Option<u32>> {
    let text = text_model_config(config).unwrap();
    let (_, family) = class_and_family(&text, Families::default()).unwrap();
    let fields = Fields::new(&text, family);
    read_attention_windows(&fields, fields.count("num_hidden_layers", 1..=4096).unwrap()).unwrap()
}

fn with(key: &str, value: Value) -> Value {
    let mut config = llama_config();
    config[key] = value;
    config
}

const DEFAULTS: [(&str, &str); 4] = [
    ("LlamaForCausalLM", include_str!("data/default_configs/Llama.json")),
    ("MistralForCausalLM", include_str!("data/default_configs/Mistral.json")),
    ("Qwen2ForCausalLM", include_str!("data/default_configs/Qwen2.json")),
    ("Qwen3ForCausalLM", include_str!("data/default_configs/Qwen3.json")),
];

/// transformers 5's spelling turned into transformers 4's.
fn older_spelling(config: &Value) -> Value {
    let mut older = config.as_object().unwrap().clone();
    let rope = older.remove("rope_parameters").unwrap();
    let dtype = older.remove("dtype").unwrap();
    older.insert("rope_theta".into(), rope["rope_theta"].clone());
    older.insert("rope_scaling".into(), Value::Null);
    older.insert("torch_dtype".into(), dtype);
    Value::Object(older)
}

#[test]
fn silence_means_what_transformers_classes_assume() {
    for (class, text) in DEFAULTS {
        let written_out: Value = serde_json::from_str(text).unwrap();
        assert_eq!(written_out["architectures"][0], class);
        let silent = read(&json!({"architectures": [class]})).unwrap();
        for spelling in [&written_out, &older_spelling(&written_out)] {
            let mut stated = read(spelling).unwrap();
            for (key, value) in [
                ("vocab_size", stated.vocab_size),
                ("hidden_size", stated.hidden_size),
                ("intermediate_size", stated.intermediate_size),
                ("num_hidden_layers", stated.layers),
                ("num_attention_heads", stated.attention.heads),
                ("num_key_value_heads", stated.attention.kv_heads),
                ("max_position_embeddings", stated.context_length),
            ] {
                assert_eq!(written_out[key], value, "{class} {key}");
            }
            stated.attention.head_dim_stated = silent.attention.head_dim_stated;
            let (stated, silent) = (serde_json::to_value(&stated).unwrap(), serde_json::to_value(&silent).unwrap());
            assert_eq!(stated, silent, "{class}");
        }
    }
}

#[test]
fn geometry_follows_from_other_keys_where_the_class_says_so() {
    let mut config = json!({"architectures": ["LlamaForCausalLM"], "hidden_size": 512, "num_attention_heads": 8});
    let h = read(&config).unwrap();
    assert_eq!((h.attention.kv_heads, h.attention.head_dim, h.attention.head_dim_stated), (8, 64, false));
    config["architectures"] = json!(["Qwen3ForCausalLM"]);
    config["num_key_value_heads"] = Value::Null;
    let h = read(&config).unwrap();
    assert_eq!((h.attention.kv_heads, h.attention.head_dim), (8, 128), "Qwen3 heads are 128 wide whatever the model");
    config["architectures"] = json!(["MistralForCausalLM"]);
    config["head_dim"] = json!(128);
    let h = read(&config).unwrap();
    assert_eq!(
        (h.attention.head_dim, h.attention.head_dim_stated),
        (128, true),
        "Mistral Nemo: wider than hidden / heads"
    );
}

#[test]
fn sliding_windows_are_in_use_only_where_the_class_uses_them() {
    let mistral = json!({"architectures": ["MistralForCausalLM"], "num_hidden_layers": 2});
    assert_eq!(windows(&mistral), [Some(4096); 2]);
    let mut none = mistral.clone();
    none["sliding_window"] = Value::Null;
    assert_eq!(windows(&none), [None; 2]);

    let mut qwen = json!({
        "architectures": ["Qwen2ForCausalLM"], "num_hidden_layers": 4, "sliding_window": 1024, "max_window_layers": 3
    });
    assert_eq!(windows(&qwen), [None; 4], "use_sliding_window is false");
    qwen["use_sliding_window"] = json!(true);
    assert_eq!(windows(&qwen), [None, None, None, Some(1024)]);
    assert_eq!(read(&qwen).unwrap().attention.sliding_window, Some(1024));
    qwen["max_window_layers"] = json!(4);
    assert_eq!(read(&qwen).unwrap().attention.sliding_window, None);
    qwen["layer_types"] = json!(["sliding_attention", "full_attention", "sliding_attention", "full_attention"]);
    assert_eq!(windows(&qwen), [Some(1024), None, Some(1024), None]);
    qwen["layer_types"] = json!(["sliding_attention"]);
    assert!(read(&qwen).unwrap_err().to_string().contains("layer_types"));
}

fn scaling(config: &Value) -> Option<RopeScaling> {
    read(config).unwrap().rope.unwrap().scaling
}

#[test]
fn rotary_scaling_reads_the_same_in_every_spelling() {
    for (kind, parameters) in [
        ("linear", json!({"factor": 2.0})),
        ("dynamic", json!({"factor": 4.0, "original_max_position_embeddings": 32})),
        ("yarn", json!({"factor": 4.0, "original_max_position_embeddings": 16, "beta_fast": 32, "beta_slow": 1.0})),
        ("longrope", json!({"short_factor": [1.5], "long_factor": [2], "original_max_position_embeddings": 16})),
        (
            "llama3",
            json!({
                "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                "original_max_position_embeddings": 32
            }),
        ),
    ] {
        let mut found = Vec::new();
        for word in ["rope_type", "type"] {
            let mut object = parameters.clone();
            object[word] = json!(kind);
            found.push(scaling(&with("rope_scaling", object.clone())).unwrap());
            object["rope_theta"] = json!(5000.0);
            let mut newer = llama_config();
            newer.as_object_mut().unwrap().remove("rope_theta");
            newer["rope_parameters"] = object;
            let rope = read(&newer).unwrap().rope.unwrap();
            assert_eq!(rope.theta, 5000.0);
            found.push(rope.scaling.unwrap());
        }
        assert_eq!(found[0].kind, kind);
        let found: Vec<Value> = found.iter().map(|s| serde_json::to_value(s).unwrap()).collect();
        assert!(found.iter().all(|s| s == &found[0]), "{kind}: {found:?}");
        for (key, value) in parameters.as_object().unwrap() {
            let name = if key == "original_max_position_embeddings" { "original_context_length" } else { key };
            let number =
                |v: &Value| v.as_f64().map_or_else(|| json!(v.as_array().map(|l| l[0].as_f64())), |x| json!(x));
            assert_eq!(number(&found[0][name]), number(value), "{kind} {key}");
        }
    }
    assert!(scaling(&with("rope_scaling", json!({"rope_type": "default"}))).is_none());
    assert!(scaling(&with("rope_scaling", json!({}))).is_none());
    let su = with("rope_scaling", json!({"type": "su", "short_factor": [1], "long_factor": [1]}));
    let su = scaling(&su).unwrap();
    assert_eq!((su.kind.as_str(), su.original_context_length), ("longrope", Some(64)));
}

#[test]
fn errors_name_key_value_and_what_is_right() {
    let llama3 = |key: &str, value: Value| {
        let mut object = json!({
            "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
            "original_max_position_embeddings": 32
        });
        object[key] = value;
        with("rope_scaling", object)
    };
    for (config, words) in [
        (with("num_attention_heads", json!(0)), "`num_attention_heads` is 0, expected a whole number from 1"),
        (with("hidden_size", json!(-8)), "`hidden_size` is -8"),
        (with("hidden_size", json!("8")), "`hidden_size` is \"8\""),
        (with("hidden_size", json!(8.5)), "`hidden_size` is 8.5"),
        (with("vocab_size", json!(1e30)), "`vocab_size` is 1e+30"),
        (with("vocab_size", json!(u64::MAX)), "`vocab_size` is 18446744073709551615"),
        (with("num_hidden_layers", json!(5000)), "from 1 to 4096"),
        (with("num_hidden_layers", json!([2])), "`num_hidden_layers` is [2]"),
        (with("num_attention_heads", json!(16)), "expected a divisor of hidden_size = 8"),
        (with("num_key_value_heads", json!(3)), "expected a divisor of num_attention_heads = 4"),
        (with("head_dim", json!(3)), "`head_dim` is 3, expected a width whose rotated part (3 dimensions) is even"),
        (with("rms_norm_eps", json!(0)), "`rms_norm_eps` is 0"),
        (with("rms_norm_eps", json!("1e-5")), "`rms_norm_eps` is \"1e-5\""),
        (with("rope_theta", json!(-1.0)), "`rope_theta` is -1.0"),
        (with("tie_word_embeddings", json!("false")), "expected true or false"),
        (with("hidden_act", json!(7)), "`hidden_act` is 7"),
        (with("partial_rotary_factor", json!(1.5)), "at most 1"),
        (with("rope_scaling", json!("linear")), "`rope_scaling` is \"linear\", expected an object"),
        (with("rope_scaling", json!({"type": "linear"})), "`rope_scaling.factor` is not there"),
        (with("rope_scaling", json!({"type": "linear", "factor": 0.5})), "`rope_scaling.factor` is 0.5"),
        (with("rope_scaling", json!({"type": "spiral"})), "expected default, linear, dynamic"),
        (with("rope_scaling", json!({"type": 4})), "`rope_scaling.type` is 4"),
        (with("rope_scaling", json!({"full_attention": {"rope_theta": 1.0}})), "no parameters by layer type"),
        (with("rope_parameters", json!({"rope_theta": 5.0})), "expected 5, as rope_parameters.rope_theta says"),
        (llama3("high_freq_factor", json!(0.5)), "expected a number above low_freq_factor = 1"),
        (llama3("original_max_position_embeddings", Value::Null), "as llama3 needs it"),
        (
            with("rope_scaling", json!({"type": "longrope", "short_factor": [1, 2], "long_factor": [1]})),
            "a list of 1 numbers",
        ),
        (with("architectures", json!("LlamaForCausalLM")), "expected a list of class names"),
        (with("architectures", json!([7])), "expected a list of class names"),
        (with("text_config", json!(3)), "`text_config` is 3, expected an object"),
        (json!([1]), "expected an object"),
        (json!({}), "`architectures` is not there"),
    ] {
        let error = read(&config).unwrap_err();
        assert!(error.to_string().contains(words), "{error} / {words}");
        assert_eq!(error.kind(), ModelErrorKind::Damaged);
        assert!(!error.suggestion().is_empty());
    }
    let mut both = with("rope_scaling", json!({"type": "linear", "factor": 2.0}));
    both["rope_parameters"] = json!({"rope_type": "linear", "factor": 3.0});
    assert!(read(&both).unwrap_err().to_string().contains("equal to rope_scaling"));
    let long = read(&with("hidden_size", json!("x".repeat(1000)))).unwrap_err().to_string();
    assert!(long.len() < 200, "{long}");
}

#[test]
fn unknown_architectures_are_named_with_their_nearest() {
    let error = read(&with("architectures", json!(["Qwen4ForCausalLM"]))).unwrap_err();
    assert_eq!(error.kind(), ModelErrorKind::Unsupported);
    let text = error.to_string();
    assert!(text.contains("`Qwen4ForCausalLM` is not supported yet (nearest supported: Qwen"), "{text}");
    let error = read(&json!({"model_type": "mamba\u{1b}[2J"})).unwrap_err().to_string();
    assert!(error.contains("`mamba[2J`"), "no control characters reach the terminal: {error:?}");
}

#[test]
fn a_nested_language_model_is_laid_over_the_root() {
    let nested = json!({
        "architectures": ["SomeVisionModel"], "tie_word_embeddings": true,
        "text_config": {"architectures": ["Qwen2ForCausalLM"], "hidden_size": 64, "num_attention_heads": 32}
    });
    let h = read(&nested).unwrap();
    assert_eq!((h.hidden_size, h.tied_embeddings), (64, true));

    let windowless = json!({
        "text_config": {"architectures": ["MistralForCausalLM"], "num_hidden_layers": 1, "sliding_window": null}
    });
    assert_eq!(windows(&windowless), [None]);

    let unnamed = json!({
        "architectures": ["LlavaForConditionalGeneration"],
        "text_config": {"architectures": null, "model_type": "mistral"}
    });
    assert!(read(&unnamed).unwrap_err().to_string().contains("`LlavaForConditionalGeneration`"));
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (0u32..100).prop_map(Value::from),
        "[a-z3_]{0,9}".prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 8, 4, |inner| {
        let key = prop_oneof!["factor|type|rope_type|rope_theta|short_factor|long_factor|low_freq_factor"];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((key, inner), 0..4).prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn no_value_of_any_key_panics(class in 0usize..4, key in 0usize..40, value in any_json()) {
        let mut config = llama_config();
        config["architectures"] = json!([DEFAULTS[class].0]);
        let known: Vec<String> = ["rope_scaling", "rope_parameters", "layer_types", "head_dim", "sliding_window",
            "use_sliding_window", "max_window_layers", "partial_rotary_factor", "text_config", "attention_bias"]
            .into_iter().map(str::to_owned).chain(config.as_object().unwrap().keys().cloned()).collect();
        config["use_sliding_window"] = json!(true);
        config[&known[key % known.len()]] = value;
        if let Ok(h) = read(&config) {
            prop_assert!(h.attention.heads % h.attention.kv_heads == 0 && h.attention.head_dim > 0);
        }
    }
}

#[test]
fn layers_with_a_window_may_rotate_in_their_own_way() {
    let base = json!({
        "hidden_size": 8, "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 6, "vocab_size": 12,
        "num_hidden_layers": 4, "max_position_embeddings": 64, "sliding_window": 16, "head_dim": 2,
    });
    let of = |class: &str, more: Value| {
        let mut config = base.clone();
        config["architectures"] = json!([class]);
        config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        read(&config)
    };
    let by_type = json!({ "rope_parameters": {
        "full_attention": { "rope_type": "linear", "factor": 8.0, "rope_theta": 100.0 },
        "sliding_attention": { "rope_type": "default", "rope_theta": 10.0 },
    } });
    let numbers = of("Gemma3ForCausalLM", by_type).unwrap();
    let (full, sliding) = (numbers.rope.unwrap(), numbers.sliding_rope.unwrap());
    assert_eq!((full.theta, sliding.theta), (100.0, 10.0));
    assert!(full.scaling.is_some() && sliding.scaling.is_none());
    let numbers = of("Gemma3ForCausalLM", json!({})).unwrap();
    assert_eq!((numbers.rope.unwrap().theta, numbers.sliding_rope.unwrap().theta), (1e6, 1e4));
    assert_eq!(numbers.attention.windows, [Some(16); 4]);
    let yarn = json!({ "rope_theta": 7.0, "rope_scaling": { "rope_type": "yarn", "factor": 4.0 } });
    let numbers = of("Olmo3ForCausalLM", yarn).unwrap();
    let sliding = numbers.sliding_rope.unwrap();
    assert!(numbers.rope.unwrap().scaling.is_some() && sliding.scaling.is_none());
    assert_eq!(sliding.theta, 7.0);
    assert_eq!(numbers.attention.windows, [Some(16), Some(16), Some(16), None]);
    let letters = json!({ "sliding_window_pattern": "LG" });
    let numbers = of("Exaone4ForCausalLM", letters).unwrap();
    assert_eq!(numbers.attention.windows, [Some(16), None, Some(16), None]);
    assert!(numbers.sliding_rope.is_none());
    for more in [
        json!({ "sliding_window_pattern": "LXG" }),
        json!({ "sliding_window_pattern": "" }),
        json!({ "sliding_window_pattern": 0 }),
        json!({ "rope_parameters": { "full_attention": { "rope_theta": 1.0 }, "rope_theta": 2.0 } }),
        json!({ "rope_parameters": { "full_attention": { "rope_theta": 1.0 } } }),
    ] {
        assert!(of("Exaone4ForCausalLM", more.clone()).is_err(), "{more}");
    }
}
