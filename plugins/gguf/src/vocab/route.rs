//! Which way each architecture class takes to its vocabulary, as the reference converter decides it.

use super::spm::AddedStyle;

/// When `add_space_prefix` is written from tokenizer_config.json or forced.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum SpacePrefix {
    /// Not written by the class.
    Unsaid,
    /// `add_prefix_space` of tokenizer_config.json, in front of all tokenizer keys.
    ConfiguredFirst,
    /// The same, behind all of them.
    ConfiguredLast,
    /// Always false, behind all of them.
    Never,
}

/// What a class does beyond the usual keys.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Extra {
    /// Nothing.
    None,
    /// CodeLlama's end-of-turn token and Granite's missing BOS, both told by the vocabulary's size.
    Llama,
    /// CodeGemma's end-of-turn token.
    Gemma,
    /// Padding is token 0, unknown token 1.
    Nemotron,
    /// BOS is always added.
    Llada,
    /// The number of segment embeddings, in front of WordPiece, within unigram, behind byte-level vocabularies.
    Encoder,
}

/// The way of one class.
#[derive(Clone, Copy)]
pub(super) struct Route {
    /// Whether tokenizer.model wins over tokenizer.json.
    pub(super) sentencepiece_first: bool,
    pub(super) style: AddedStyle,
    pub(super) space_prefix: SpacePrefix,
    /// The embedding's rows are rounded up to a multiple of this.
    pub(super) rows_multiple: u64,
    /// Roles filled by token text where no file names them.
    pub(super) roles: &'static [(&'static str, &'static str)],
    pub(super) extra: Extra,
}

const BYTE_LEVEL: Route = Route {
    sentencepiece_first: false,
    style: AddedStyle::Usual,
    space_prefix: SpacePrefix::Unsaid,
    rows_multiple: 1,
    roles: &[],
    extra: Extra::None,
};
const SENTENCEPIECE: Route = Route { sentencepiece_first: true, ..BYTE_LEVEL };
const LLAMA: Route = Route { space_prefix: SpacePrefix::ConfiguredFirst, extra: Extra::Llama, ..SENTENCEPIECE };
const NO_PREFIX: Route = Route { space_prefix: SpacePrefix::Never, ..SENTENCEPIECE };
const GLM_MOE: &[(&str, &str)] =
    &[("bos", "[gMASK]"), ("eot", "<|user|>"), ("unk", "<|endoftext|>"), ("eom", "<|observation|>")];
const GLM: &[(&str, &str)] =
    &[("eos", "<|endoftext|>"), ("eot", "<|user|>"), ("unk", "<|endoftext|>"), ("bos", "<|endoftext|>")];
const CHATGLM: &[(&str, &str)] = &[("eos", "<|endoftext|>"), ("eot", "<|user|>"), ("unk", "<|endoftext|>")];
const SOLAR: &[(&str, &str)] =
    &[("eos", "<|endoftext|>"), ("eot", "<|endoftext|>"), ("unk", "<unk>"), ("bos", "<|startoftext|>")];

/// The classes that do not take the byte-level way; what is in no list takes [`LLAMA`]'s order with a warning.
#[rustfmt::skip]
const ROUTES: &[(Route, &[&str])] = &[
    (LLAMA, &[
        "AfmoeForCausalLM", "ApertusForCausalLM", "ArceeForCausalLM", "CogVLMForCausalLM", "GraniteForCausalLM",
        "GraniteMoeForCausalLM", "GraniteMoeSharedForCausalLM", "IQuestCoderForCausalLM", "JanusForConditionalGeneration",
        "LLaMAForCausalLM", "LlamaBidirectionalModel", "LlamaForCausalLM", "LlamaModel", "LlavaForConditionalGeneration",
        "Ministral3ForCausalLM", "Mistral3ForConditionalGeneration", "MistralForCausalLM", "MixtralForCausalLM",
        "NanbeigeForCausalLM", "SmolLM3ForCausalLM", "VLlama3ForCausalLM", "VoxtralForConditionalGeneration",
    ]),
    (SENTENCEPIECE, &[
        "BaiChuanForCausalLM", "BaichuanForCausalLM", "BitNetForCausalLM", "BitnetForCausalLM", "DeepseekForCausalLM",
        "DotsOCRForCausalLM", "DreamModel", "GrokForCausalLM", "Grok1ForCausalLM", "KORMoForCausalLM",
        "MiniCPM3ForCausalLM", "MiniCPMForCausalLM", "OpenELMForCausalLM", "OrionForCausalLM", "PlamoForCausalLM",
        "Qwen2AudioForConditionalGeneration", "Qwen2ForCausalLM", "Qwen2Model", "Qwen2VLForConditionalGeneration",
        "Qwen2_5_VLForConditionalGeneration", "Qwen3ForCausalLM", "Qwen3Model", "Qwen3MoeForCausalLM",
        "Qwen3VLForConditionalGeneration", "Qwen3VLMoeForConditionalGeneration",
    ]),
    (NO_PREFIX, &[
        "Gemma2ForCausalLM", "Gemma3ForCausalLM", "Gemma3ForConditionalGeneration", "Gemma3TextModel",
        "Gemma3nForCausalLM", "Gemma3nForConditionalGeneration", "JambaForCausalLM",
    ]),
    (Route { extra: Extra::Gemma, ..NO_PREFIX }, &["GemmaForCausalLM"]),
    (Route { style: AddedStyle::Phi3, ..SENTENCEPIECE }, &["Phi3ForCausalLM", "Phi4ForCausalLMV", "PhiMoEForCausalLM"]),
    (Route { style: AddedStyle::InternLm2, ..SENTENCEPIECE }, &["InternLM2ForCausalLM"]),
    (Route { space_prefix: SpacePrefix::ConfiguredLast, ..SENTENCEPIECE }, &[
        "Ernie4_5ForCausalLM", "Ernie4_5_ForCausalLM", "Ernie4_5_MoeForCausalLM", "PanguEmbeddedForCausalLM",
    ]),
    (Route { extra: Extra::Nemotron, ..SENTENCEPIECE }, &["NemotronForCausalLM"]),
    (Route { extra: Extra::Encoder, ..BYTE_LEVEL }, &["BertModel", "XLMRobertaModel"]),
    (Route { extra: Extra::Llada, ..BYTE_LEVEL }, &["LLaDAModelLM"]),
    (Route { roles: GLM, ..BYTE_LEVEL }, &["Glm4ForCausalLM", "Glm4vForConditionalGeneration"]),
    (Route { roles: GLM_MOE, ..BYTE_LEVEL }, &[
        "Glm4MoeForCausalLM", "Glm4MoeLiteForCausalLM", "Glm4vMoeForConditionalGeneration", "GlmMoeDsaForCausalLM",
    ]),
    (Route { roles: CHATGLM, ..BYTE_LEVEL }, &["GlmForCausalLM"]),
    (Route { roles: SOLAR, ..BYTE_LEVEL }, &["SolarOpenForCausalLM"]),
    (Route { rows_multiple: 8, ..BYTE_LEVEL }, &[
        "FalconMambaForCausalLM", "MambaForCausalLM", "MambaLMHeadModel", "NemotronHForCausalLM",
    ]),
    (Route { rows_multiple: 8, ..SENTENCEPIECE }, &["BambaForCausalLM", "GraniteMoeHybridForCausalLM"]),
    (Route { rows_multiple: 16, ..SENTENCEPIECE }, &["Mamba2ForCausalLM"]),
    (BYTE_LEVEL, &[
        "BailingMoeForCausalLM", "BailingMoeV2ForCausalLM", "BailingMoeV3ForCausalLM", "BloomForCausalLM", "BloomModel",
        "ChameleonForCausalLM", "ChameleonForConditionalGeneration", "CodeShellForCausalLM", "Cohere2ForCausalLM",
        "CohereForCausalLM", "DbrxForCausalLM", "DeepseekV2ForCausalLM", "DeepseekV32ForCausalLM",
        "DeepseekV3ForCausalLM", "DeepseekV4ForCausalLM", "Dots1ForCausalLM", "Exaone4ForCausalLM", "ExaoneForCausalLM",
        "ExaoneMoEForCausalLM", "ExaoneMoeForCausalLM", "FalconForCausalLM", "FalconH1ForCausalLM", "GPT2LMHeadModel",
        "GPTBigCodeForCausalLM", "GPTNeoXForCausalLM", "GPTRefactForCausalLM", "GptOssForCausalLM",
        "GroveMoeForCausalLM", "HYV3ForCausalLM", "JAISLMHeadModel", "Jais2ForCausalLM", "KimiK25ForConditionalGeneration",
        "KimiVLForConditionalGeneration", "LLaDAMoEModelLM", "Lfm2ForCausalLM", "Lfm2MoeForCausalLM",
        "Llama4ForCausalLM", "Llama4ForConditionalGeneration", "MPTForCausalLM", "MellumForCausalLM",
        "MiMoV2FlashForCausalLM", "MiniMaxM2ForCausalLM", "OLMoForCausalLM", "Olmo2ForCausalLM", "Olmo3ForCausalLM",
        "OlmoForCausalLM", "OlmoeForCausalLM", "PLMForCausalLM", "PhiForCausalLM", "Qwen2MoeForCausalLM",
        "Qwen3NextForCausalLM", "Qwen3_5ForCausalLM", "Qwen3_5ForConditionalGeneration", "Qwen3_5MoeForCausalLM",
        "Qwen3_5MoeForConditionalGeneration", "RWForCausalLM", "SarvamMoEForCausalLM", "SeedOssForCausalLM",
        "SmallThinkerForCausalLM", "StableLMEpochForCausalLM", "StableLmForCausalLM", "Starcoder2ForCausalLM",
        "Step3p5ForCausalLM", "YoutuForCausalLM",
    ]),
];

/// Classes with a vocabulary of their own making.
#[rustfmt::skip]
const UNSUPPORTED: &[(&str, &[&str])] = &[
    ("its class of sentence embeddings has rules of its own for the vocabulary", &[
        "BertForMaskedLM", "BertForSequenceClassification", "CamembertModel", "DistilBertModel", "EuroBertModel",
        "JinaBertForMaskedLM", "JinaBertModel", "ModernBertForMaskedLM", "ModernBertModel", "NomicBertModel",
        "RobertaModel",
    ]),
    ("its tokenizer is a unigram model with a character map", &[
        "MT5ForConditionalGeneration", "T5EncoderModel", "T5ForConditionalGeneration", "T5WithLMHeadModel",
        "UMT5ForConditionalGeneration", "UMT5Model",
    ]),
    ("its tokens lie in a RWKV word list", &[
        "RWKV7ForCausalLM", "Rwkv6ForCausalLM", "Rwkv7ForCausalLM",
    ]),
    ("its tokens lie in tiktoken ranks that only Python code of the model reads", &[
        "HunYuanDenseV1ForCausalLM", "HunYuanMoEV1ForCausalLM", "KimiK3ForConditionalGeneration",
        "KimiLinearForCausalLM", "QWenLMHeadModel",
    ]),
    ("its converter rewrites single tokens in ways that are not covered yet", &[
        "ArcticForCausalLM", "ChatGLMModel", "Gemma4ForCausalLM", "Gemma4ForConditionalGeneration",
        "InternLM3ForCausalLM", "LagunaForCausalLM", "Plamo2ForCausalLM", "Plamo3ForCausalLM",
        "XverseForCausalLM",
    ]),
];

/// What is known about a class.
pub(super) enum Known {
    Route(Route),
    Unsupported(&'static str),
    /// In no list: [`LLAMA`]'s order, which asks the files and not the class.
    Unlisted(Route),
}

/// Looks a class up.
pub(super) fn of(class: &str) -> Known {
    if let Some((reason, _)) = UNSUPPORTED.iter().find(|(_, classes)| classes.contains(&class)) {
        return Known::Unsupported(reason);
    }
    match ROUTES.iter().find(|(_, classes)| classes.contains(&class)) {
        Some((route, _)) => Known::Route(*route),
        None => Known::Unlisted(Route { extra: Extra::None, ..LLAMA }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_is_listed_once() {
        let mut all: Vec<_> = ROUTES.iter().flat_map(|(_, classes)| classes.iter()).collect();
        all.extend(UNSUPPORTED.iter().flat_map(|(_, classes)| classes.iter()));
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
    }
}
