"""llama-quantize without its binary: calls llama_model_quantize of a stock libllama. IN.gguf OUT.gguf LEVEL LIBDIR [THREADS] [requantize|keep]"""
import ctypes as C, os, sys

LEVELS = dict(F16=1, Q4_0=2, Q4_1=3, Q8_0=7, Q5_0=8, Q5_1=9, Q2_K=10, Q3_K_S=11, Q3_K_M=12, Q3_K_L=13, Q4_K_S=14,
              Q4_K_M=15, Q5_K_S=16, Q5_K_M=17, Q6_K=18, BF16=32, F32=0, IQ4_NL=25, IQ3_S=26, IQ4_XS=30, COPY=0)


class Params(C.Structure):
    # Only the head of llama_model_quantize_params is touched; the rest keeps its default bytes.
    _fields_ = [("nthread", C.c_int32), ("ftype", C.c_int32), ("output_type", C.c_int32), ("embedding_type", C.c_int32),
                ("allow_requantize", C.c_bool), ("quantize_output", C.c_bool), ("only_copy", C.c_bool), ("pure", C.c_bool),
                ("keep_split", C.c_bool), ("rest", C.c_uint8 * 235)]


source, target, level, folder = sys.argv[1:5]
for name in sorted(os.listdir(folder)):
    if name.startswith("libggml-base"):
        C.CDLL(os.path.join(folder, name), mode=C.RTLD_GLOBAL)
for name in sorted(os.listdir(folder)):
    if name.startswith("libggml") and ("-cpu" not in name or "sse42" in name or "x64" in name):
        try:
            C.CDLL(os.path.join(folder, name), mode=C.RTLD_GLOBAL)
        except OSError:
            pass
llama = C.CDLL(next(os.path.join(folder, n) for n in sorted(os.listdir(folder)) if n.startswith("libllama.")))
llama.llama_model_quantize_default_params.restype = Params
llama.llama_model_quantize.argtypes = [C.c_char_p, C.c_char_p, C.POINTER(Params)]
llama.llama_model_quantize.restype = C.c_uint32
llama.llama_backend_init()
params = llama.llama_model_quantize_default_params()
params.ftype = LEVELS[level]
params.nthread = int(sys.argv[5]) if len(sys.argv) > 5 else 2
params.allow_requantize, params.keep_split = "requantize" in sys.argv[6:], "keep" in sys.argv[6:]
params.only_copy = level == "COPY"
sys.exit(llama.llama_model_quantize(source.encode(), target.encode(), C.byref(params)))
