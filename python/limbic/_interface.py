"""capi/limbic_c.h for ctypes: its structs and functions. Loads nothing."""
import ctypes
from ctypes import POINTER, Structure, c_char_p, c_double, c_int, c_int64, c_size_t, c_uint64, c_void_p


class OpenOptions(Structure):
    _fields_ = [("size", c_size_t), ("model", c_char_p), ("state", c_char_p), ("preset", c_char_p),
                ("labels", c_char_p), ("image_size", c_int64), ("batch", c_int64), ("bf16", c_int)]


class ModelInfo(Structure):
    _fields_ = [("size", c_size_t), ("kind", c_int), ("classes", c_size_t), ("features", c_size_t),
                ("batch", c_size_t)]


class Picture(Structure):
    _fields_ = [("path", c_char_p), ("bytes", c_void_p), ("count", c_size_t), ("rgb", c_void_p),
                ("height", c_size_t), ("width", c_size_t), ("stride", c_size_t),
                ("prepared", c_void_p)]


class SvmOptions(Structure):
    _fields_ = [("size", c_size_t), ("kernel", c_int), ("C", c_double), ("gamma", c_double),
                ("coef0", c_double), ("degree", c_int), ("tolerance", c_double),
                ("max_iterations", c_int64), ("probability", c_int), ("seed", c_uint64),
                ("weighted_labels", c_void_p), ("class_weights", c_void_p),
                ("weights_count", c_size_t)]


class SvmInfo(Structure):
    _fields_ = [("size", c_size_t), ("classes", c_size_t), ("features", c_size_t),
                ("support_vectors", c_size_t), ("iterations", c_int64), ("converged", c_int),
                ("gamma", c_double), ("probability", c_int)]


class TrainerOptions(Structure):
    _fields_ = [("size", c_size_t), ("batch", c_size_t), ("height", c_size_t), ("width", c_size_t),
                ("learning_rate", c_double), ("momentum", c_double), ("weight_decay", c_double),
                ("nesterov", c_int), ("seed", c_uint64)]


class Status(c_int):
    """What limbic_status is declared as: ctypes leaves a subclass as it is."""


kinds = ("classes", "binary", "multilabel", "emotion")
kernels = ("rbf", "linear", "poly", "precomputed")

_handle, _array, _out = c_void_p, c_void_p, POINTER(c_void_p)
_shape = [_handle, c_char_p, POINTER(c_int64), POINTER(c_size_t)]
_values = [_handle, c_char_p, _array, c_size_t]
_rows = [_handle, _array, c_size_t, c_size_t, _array]

#: name -> (what it returns, its arguments)
functions = {
    "limbic_last_error": (c_char_p, []),
    "limbic_version": (c_char_p, []),
    "limbic_set_threads": (Status, [c_int]),
    "limbic_open": (Status, [c_char_p, POINTER(OpenOptions), _out]),
    "limbic_open_bytes": (Status, [c_char_p, c_size_t, POINTER(OpenOptions), _out]),
    "limbic_model_free": (Status, [_handle]),
    "limbic_get_model_info": (Status, [_handle, POINTER(ModelInfo)]),
    "limbic_label": (c_char_p, [_handle, c_size_t]),
    "limbic_remark": (c_char_p, [_handle, c_size_t]),
    "limbic_warm_up": (Status, [_handle]),
    "limbic_predict": (Status, [_handle, POINTER(Picture), c_size_t, _out]),
    "limbic_answers_free": (Status, [_handle]),
    "limbic_answer_error": (c_char_p, [_handle, c_size_t]),
    "limbic_answer_class": (c_size_t, [_handle, c_size_t]),
    "limbic_answer_probabilities": (Status, [_handle, c_size_t, _array, c_size_t]),
    "limbic_answer_json": (c_char_p, [_handle, c_size_t, c_char_p, c_size_t]),
    "limbic_features": (Status, [_handle, POINTER(Picture), c_size_t, _array, c_size_t]),
    "limbic_svm_defaults": (SvmOptions, []),
    "limbic_svm_fit": (Status, [_array, c_size_t, c_size_t, _array, POINTER(SvmOptions), _out]),
    "limbic_svm_load": (Status, [c_char_p, _out]),
    "limbic_svm_save": (Status, [_handle, c_char_p]),
    "limbic_svm_free": (Status, [_handle]),
    "limbic_svm_get_info": (Status, [_handle, POINTER(SvmInfo)]),
    "limbic_svm_classes": (Status, [_handle, _array, c_size_t]),
    "limbic_svm_parts": (Status, [_handle, _array, _array, _array, _array, _array]),
    "limbic_svm_decisions": (Status, _rows + [c_size_t]),
    "limbic_svm_probabilities": (Status, _rows + [c_size_t]),
    "limbic_graph_new": (Status, [c_size_t, _out]),
    "limbic_graph_of": (Status, [c_char_p, c_size_t, _out]),
    "limbic_graph_free": (Status, [_handle]),
    "limbic_graph_add": (Status, [_handle, c_char_p, c_char_p, c_char_p, POINTER(c_int), c_size_t,
                                  POINTER(c_int)]),
    "limbic_graph_label": (Status, [_handle, c_char_p, c_int]),
    "limbic_graph_channels": (Status, [_handle, c_int, POINTER(c_size_t)]),
    "limbic_trainer_new": (Status, [_handle, POINTER(TrainerOptions), _out]),
    "limbic_trainer_free": (Status, [_handle]),
    "limbic_trainer_set_learning_rate": (Status, [_handle, c_double]),
    "limbic_trainer_step": (Status, [_handle, _array, c_size_t, _array, POINTER(c_double)]),
    "limbic_trainer_run": (Status, [_handle, _array, c_size_t, c_char_p, _array, c_size_t]),
    "limbic_trainer_shape": (Status, _shape),
    "limbic_parameter_name": (c_char_p, [_handle, c_size_t]),
    "limbic_parameter_shape": (Status, _shape),
    "limbic_parameter_get": (Status, _values),
    "limbic_parameter_gradient": (Status, _values),
    "limbic_parameter_set": (Status, _values),
    "limbic_trainer_save": (Status, [_handle, c_char_p]),
    "limbic_trainer_load": (Status, [_handle, c_char_p]),
}


def declare(library, checked):
    """Gives the functions of a ctypes library their types; `checked` is called with each status.
    Throws AttributeError for a function that the library does not have."""
    def check(status, _function, _arguments):
        checked(status.value)

    for name, (result, arguments) in functions.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
        if result is Status:
            function.errcheck = check
    return library
