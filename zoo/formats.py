"""What models can be exported as."""

# The ending of each format, and the packages that write and run it.
FORMATS = {
    "saved_model": ("", ()),
    "onnx": (".onnx", ("tf2onnx", "onnx", "onnxruntime")),
    "litert": (".tflite", ("ai_edge_litert",)),
}
# Of the weights: whole, a half or a quarter of the size.
PRECISIONS = ("float32", "float16", "int8")
