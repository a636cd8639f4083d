"""Makes chats.json and tokens.json with transformers: what the tests of chat templates and tokenizers compare with.

Run in this folder: python golden.py. Made with transformers 5.23.0, jinja2 3.1.6, tokenizers 0.23.3.
"""
import datetime, glob, json, os
import transformers
from transformers import AutoTokenizer
from transformers.utils import chat_template_utils

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, "../../..")


class Fixed(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls(2024, 7, 6)


chat_template_utils.datetime = Fixed
tokenizer = AutoTokenizer.from_pretrained(os.path.join(ROOT, "examples/tiny-model"))
chats = []
for path in sorted(glob.glob(os.path.join(HERE, "templates/*.jinja"))):
    template = open(path, encoding="utf-8", newline="").read()
    for chat in json.load(open(os.path.join(HERE, "conversations.json"), encoding="utf-8")):
        entry = {"template": os.path.basename(path), "chat": chat["name"]}
        try:
            entry["text"] = tokenizer.apply_chat_template(chat["messages"], chat_template=template, tokenize=False)
            ids = tokenizer.apply_chat_template(chat["messages"], chat_template=template, tokenize=True)
            entry["ids"] = list(ids["input_ids"] if hasattr(ids, "keys") else ids)
        except Exception as error:
            entry["error"] = str(error)
        chats.append(entry)
json.dump({"origin": f"transformers {transformers.__version__}", "chats": chats},
          open(os.path.join(HERE, "chats.json"), "w", encoding="utf-8"), ensure_ascii=False, indent=1)

TEXTS = [
    "Once upon a time, there was a little house.",
    "  two  spaces\tand\ttabs\n\nand\r\nlines ",
    "I'm can't WE'LL 1234567 3.14159",
    "Ünïcödé: naïve café, 日本語のテキスト, مرحبا, 😀👩‍👩‍👧",
    "<s> </s> <|begin_of_text|> <bos><eos> <|endoftext|> [CLS]",
    "",
    "\n",
    "def f(x):\n    return x ** 2  # a comment\n",
]
models = {}
for folder in ["examples/tiny-model"] + sorted("tests/models/" + m for m in os.listdir(os.path.join(ROOT, "tests/models"))):
    tokenizer = AutoTokenizer.from_pretrained(os.path.join(ROOT, folder))
    models[folder] = [{"text": t, "with": tokenizer(t)["input_ids"], "without": tokenizer(t, add_special_tokens=False)["input_ids"]} for t in TEXTS]
json.dump({"origin": f"transformers {transformers.__version__}", "models": models},
          open(os.path.join(HERE, "tokens.json"), "w", encoding="utf-8"), ensure_ascii=False)
