//! Which pre-tokenization steps belong to which name.
//!
//! The expressions are those of llama.cpp's `llama-vocab.cpp` (MIT, commit 0c1e57098) and of the published tokenizers it
//! quotes, in the canonical spelling of [`super::structure`]; see NOTICE.

/// Name and steps, in the spelling of [`super::structure::steps`].
pub(super) struct Pattern {
    pub(super) name: &'static str,
    pub(super) steps: &'static [&'static str],
}

/// One entry for each structure; where several names split alike, the first one published stands for all.
pub(super) const PATTERNS: &[Pattern] = &[
    // GPT-2, GPT-NeoX, OPT; mpt, olmo, jais and phi-2 split alike.
    Pattern { name: "gpt-2", steps: &[r"bytes(gpt-2)"] },
    // The same expression written out.
    Pattern {
        name: "gpt-2",
        steps: &[r"split 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+", r"bytes"],
    },
    // Llama 3; falcon3, pixtral, smaug-bpe and dbrx split alike.
    Pattern {
        name: "llama-bpe",
        steps: &[
            r"split (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
            r"bytes",
        ],
    },
    // Qwen 2 and 3; stablelm2, grok-2 and hunyuan split alike.
    Pattern {
        name: "qwen2",
        steps: &[
            r"split (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
            r"bytes",
        ],
    },
    // Qwen 3.5.
    Pattern {
        name: "qwen35",
        steps: &[
            r"split (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
            r"bytes",
        ],
    },
    // StarCoder; refact, smollm, command-r and codeshell split alike.
    Pattern { name: "starcoder", steps: &[r"digits(each)", r"bytes(gpt-2)"] },
    // DeepSeek 1 and 2.
    Pattern {
        name: "deepseek-llm",
        steps: &[
            r"split [\r\n]",
            r"split \s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-ώᾀ-ᾴᾶ-ᾼιῂ-ῄῆ-ῌῐ-ΐῖ-Ίῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤΩℨK-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃]+",
            r"split \s?[!-/:-~！-／：-～‘-‟　-。]+",
            r"split \s+$",
            r"split [一-龥ࠀ-一가-퟿]+",
            r"digits(each)",
            r"bytes",
        ],
    },
    // DeepSeek Coder.
    Pattern {
        name: "deepseek-coder",
        steps: &[
            r"split [\r\n]",
            r"split \s?\p{L}+",
            r"split \s?\p{P}+",
            r"split [一-龥ࠀ-一가-퟿]+",
            r"digits(each)",
            r"bytes",
        ],
    },
    // DeepSeek 3; hunyuan-dense and joyai-llm split alike.
    Pattern {
        name: "deepseek-v3",
        steps: &[
            r"split \p{N}{1,3}",
            r"split [一-龥぀-ゟ゠-ヿ]+",
            r##"split [!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"##,
            r"bytes",
        ],
    },
    // Falcon 1.
    Pattern {
        name: "falcon",
        steps: &[r"punctuation(contiguous)", r"bytes(gpt-2)", r"digits(together)", r"split [0-9][0-9][0-9]"],
    },
    // o200k; llama4 and minimax-m2 split alike.
    Pattern {
        name: "gpt-4o",
        steps: &[
            r"split [^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
            r"bytes",
        ],
    },
    // Mistral's Tekken.
    Pattern {
        name: "tekken",
        steps: &[
            r"split [^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
            r"bytes",
        ],
    },
    // BLOOM; poro-chat and gpt3-finnish split alike.
    Pattern { name: "bloom", steps: &[r"split  ?[^(\s|.,!?…。，、।۔،)]+", r"bytes"] },
    // The same as BLOOM's own file spells it, with a class inside the class.
    Pattern { name: "bloom", steps: &[r"split  ?[^(\s|[.,!?…。，、।۔،])]+", r"bytes"] },
    // Viking.
    Pattern { name: "viking", steps: &[r"split  ?[^(\s|.,!?…。，、।۔،)]+", r"digits(each)", r"bytes"] },
    // Jais 2.
    Pattern {
        name: "jais-2",
        steps: &[
            r"split (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s{512}(?!\S)|\s{256}(?!\S)|\s{128}(?!\S)|\s{64}(?!\S)|\s{32}(?!\S)|\s{16}(?!\S)|\s{8}(?!\S)|\s{4}(?!\S)|\s{1,2}(?!\S)|\s{1}",
            r"bytes",
        ],
    },
    // Ling.
    Pattern {
        name: "bailingmoe",
        steps: &[
            r"split '(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+",
            r"bytes",
        ],
    },
    // Seed-Coder.
    Pattern {
        name: "seed-coder",
        steps: &[
            r"split (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1}| ?[^\s\p{L}\p{N}\r\n]+|\s*[\r\n]+|\s+(?!\S)|\s+",
            r"bytes",
        ],
    },
    // K-EXAONE.
    Pattern {
        name: "exaone-moe",
        steps: &[
            r"split (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]?|\s*[\r\n]|\s+(?!\S)|\s+",
            r"bytes",
        ],
    },
    // MiniCPM 5.
    Pattern {
        name: "minicpm5",
        steps: &[
            r"split \p{N}{1,3}",
            r"split (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}+| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
            r"bytes",
        ],
    },
    // Qwen 2 without English contractions.
    Pattern {
        name: "ufakzeka",
        steps: &[r"split [^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+", r"bytes"],
    },
];
