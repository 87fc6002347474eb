/* Limbic for C and for whoever can call C. Plain C11; no exception, no abort and no output crosses
 * this line.
 *
 *     limbic_model* model;
 *     if (limbic_open("model", NULL, &model) != LIMBIC_OK) puts(limbic_last_error());
 *     limbic_picture photo = limbic_picture_file("photo.jpg");
 *     limbic_answers* answers;
 *     if (limbic_predict(model, &photo, 1, &answers) != LIMBIC_OK) puts(limbic_last_error());
 *     printf("%s\n", limbic_label(model, limbic_answer_class(answers, 0)));
 *
 * Every function may be called by any thread, for one handle by many at once; a trainer serves one
 * call after another. What is asked of a handle that is being freed in another thread is answered
 * first.
 *
 * Handles are numbers in a pointer's clothes, given once and never again: a null handle, one that was
 * freed, and one of another kind are refused with LIMBIC_BAD_HANDLE and never followed. What is
 * returned as a pointer belongs to the handle that it was asked of and stays as long as that does.
 *
 * Arrays are dense, row after row, in the machine's byte order. "count" is what the caller's array
 * holds: less than is needed is LIMBIC_TOO_SMALL, and nothing was written. */
#ifndef LIMBIC_C_H
#define LIMBIC_C_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define LIMBIC_API __attribute__((visibility("default")))
#else
#define LIMBIC_API
#endif

typedef enum limbic_status {
  LIMBIC_OK = 0,
  LIMBIC_INVALID = 1,       /* An argument that makes no sense: null, a size that lies, NaN ... */
  LIMBIC_BAD_HANDLE = 2,    /* Null, freed, or of another kind. */
  LIMBIC_TOO_SMALL = 3,     /* The caller's array does not hold what would be written. */
  LIMBIC_FAILED = 4,        /* A file or picture cannot be used, a folder cannot be written ... */
  LIMBIC_OUT_OF_MEMORY = 5,
} limbic_status;

/* One line about the last call of this thread that did not return LIMBIC_OK; "" before there is one.
 * Valid until this thread's next call. */
LIMBIC_API const char* limbic_last_error(void);
/* "1.2.3" */
LIMBIC_API const char* limbic_version(void);
/* Threads of all work; 0: the cores that this process may use. */
LIMBIC_API limbic_status limbic_set_threads(int threads);

/* ---- Models ------------------------------------------------------------------------------- */

typedef struct limbic_model limbic_model;
typedef struct limbic_answers limbic_answers;
typedef struct limbic_prepared limbic_prepared;

/* How a model is opened. size = sizeof(limbic_open_options); all else may be 0. */
typedef struct limbic_open_options {
  size_t size;
  const char* model;   /* Architecture of a checkpoint; null: the one whose tensors it holds. */
  const char* state;   /* Which of several networks in it. */
  const char* preset;  /* How pictures are prepared; null: as the checkpoint or network wants. */
  const char* labels;  /* File with the name of a class in each line. */
  int64_t image_size;  /* 0: the preset's. */
  int64_t batch;       /* Pictures computed at once at most; 0: 8. */
  int bf16;            /* 1: compute in bf16, where the processor has it. */
} limbic_open_options;

/* A folder that `limbic fit` made, a zip archive of one, or a checkpoint (.safetensors, .pth, .h5,
 * .keras, a wheel). options may be null. */
LIMBIC_API limbic_status limbic_open(const char* path, const limbic_open_options* options,
                                     limbic_model** model);
/* The same of a file's bytes, which are copied. */
LIMBIC_API limbic_status limbic_open_bytes(const void* bytes, size_t count,
                                           const limbic_open_options* options, limbic_model** model);
LIMBIC_API limbic_status limbic_model_free(limbic_model* model);

/* What the probabilities are of. */
typedef enum limbic_kind {
  LIMBIC_CLASSES = 0,    /* One of many classes; they add up to 1. */
  LIMBIC_BINARY = 1,     /* No and yes. */
  LIMBIC_MULTILABEL = 2, /* Each class for itself. */
  LIMBIC_EMOTION = 3,    /* The pipeline of `limbic fit`. */
} limbic_kind;

typedef struct limbic_model_info {
  size_t size; /* sizeof(limbic_model_info), set by the caller. */
  limbic_kind kind;
  size_t classes;
  size_t features; /* Values that limbic_features gives for a picture. */
  size_t batch;
} limbic_model_info;
LIMBIC_API limbic_status limbic_get_model_info(limbic_model* model, limbic_model_info* info);
/* Name of a class, UTF-8; null where there is none of this number. */
LIMBIC_API const char* limbic_label(limbic_model* model, size_t index);
/* What was assumed when the model was opened, a line each (a preset, names of classes); null at
 * their end. */
LIMBIC_API const char* limbic_remark(limbic_model* model, size_t index);
/* Runs every number of pictures up to the batch once, so that no later call waits for code to be
 * made. */
LIMBIC_API limbic_status limbic_warm_up(limbic_model* model);

/* One picture: of its four forms, the one that is not null. Make it by a function below. */
typedef struct limbic_picture {
  const char* path;       /* A file. */
  const void* bytes;      /* `count` bytes of a file: JPEG, PNG, WebP, GIF or BMP. */
  size_t count;
  const uint8_t* rgb;     /* height rows of width RGB triples, `stride` bytes from row to row. */
  size_t height, width, stride;
  limbic_prepared* prepared;
} limbic_picture;

static inline limbic_picture limbic_picture_file(const char* path) {
  limbic_picture p = {path, NULL, 0, NULL, 0, 0, 0, NULL};
  return p;
}
static inline limbic_picture limbic_picture_bytes(const void* bytes, size_t count) {
  limbic_picture p = {NULL, bytes, count, NULL, 0, 0, 0, NULL};
  return p;
}
static inline limbic_picture limbic_picture_rgb(const uint8_t* rgb, size_t height, size_t width,
                                                size_t stride) {
  limbic_picture p = {NULL, NULL, 0, rgb, height, width, stride, NULL};
  return p;
}
static inline limbic_picture limbic_picture_prepared(limbic_prepared* prepared) {
  limbic_picture p = {NULL, NULL, 0, NULL, 0, 0, 0, prepared};
  return p;
}

/* The first half of limbic_predict, decoding and resizing, on this thread alone: for whoever takes
 * pictures in one thread and computes them in another. */
LIMBIC_API limbic_status limbic_prepare(limbic_model* model, const limbic_picture* picture,
                                        limbic_prepared** prepared);
LIMBIC_API limbic_status limbic_prepared_free(limbic_prepared* prepared);

/* Answers for `count` pictures, in their order. A picture that cannot be used has an error in its
 * answer (limbic_answer_error) and does not fail the call. */
LIMBIC_API limbic_status limbic_predict(limbic_model* model, const limbic_picture* pictures,
                                        size_t count, limbic_answers** answers);
LIMBIC_API limbic_status limbic_answers_free(limbic_answers* answers);
LIMBIC_API size_t limbic_answers_count(limbic_answers* answers);
/* Why a picture cannot be used; null where it has an answer (and where there is no such picture:
 * limbic_last_error). */
LIMBIC_API const char* limbic_answer_error(limbic_answers* answers, size_t picture);
/* The class that the model names; SIZE_MAX where there is none. */
LIMBIC_API size_t limbic_answer_class(limbic_answers* answers, size_t picture);
/* One probability a class. */
LIMBIC_API limbic_status limbic_answer_probabilities(limbic_answers* answers, size_t picture,
                                                     double* probabilities, size_t count);
/* The line that `limbic predict --format json` or `limbic classify --format json --top N` prints,
 * without its end, or {"error":...}. image: what it is called in it; null leaves it out. Null where
 * there is no such picture; the text is valid until this thread's next call. */
LIMBIC_API const char* limbic_answer_json(limbic_answers* answers, size_t picture,
                                          const char* image, size_t top);

/* features: rows of limbic_model_info.features values, a row a picture. Here a picture that cannot
 * be used fails the call. */
LIMBIC_API limbic_status limbic_features(limbic_model* model, const limbic_picture* pictures,
                                         size_t pictures_count, float* features, size_t count);

/* ---- Support vector machines -------------------------------------------------------------- */

typedef struct limbic_svm limbic_svm;

typedef enum limbic_kernel {
  LIMBIC_RBF = 0,
  LIMBIC_LINEAR = 1,
  LIMBIC_POLY = 2,
  LIMBIC_PRECOMPUTED = 3, /* Column 0 is a sample's number from 1, column j its value with sample j. */
} limbic_kernel;

/* Start from limbic_svm_defaults. Source of the names: scikit-learn's SVC. */
typedef struct limbic_svm_options {
  size_t size;
  limbic_kernel kernel;
  double C;
  double gamma; /* 0: 1 / the sum of the features' variances (scikit-learn's "scale", where their
                   means are equal); -1: 1 / features. */
  double coef0;
  int degree;
  double tolerance;
  int64_t max_iterations; /* 0: LIBSVM's. */
  int probability;        /* 1: fits LIBSVM's probabilities, by five-fold cross-validation. */
  uint64_t seed;
  const int* weighted_labels; /* weights_count labels whose C is multiplied by class_weights. */
  const double* class_weights;
  size_t weights_count;
} limbic_svm_options;
LIMBIC_API limbic_svm_options limbic_svm_defaults(void);

/* Trains on x (rows, columns) and a label for each row. options may be null. */
LIMBIC_API limbic_status limbic_svm_fit(const float* x, size_t rows, size_t columns,
                                        const int* labels, const limbic_svm_options* options,
                                        limbic_svm** svm);
/* LIBSVM's text format. */
LIMBIC_API limbic_status limbic_svm_load(const char* path, limbic_svm** svm);
LIMBIC_API limbic_status limbic_svm_save(limbic_svm* svm, const char* path);
LIMBIC_API limbic_status limbic_svm_free(limbic_svm* svm);

typedef struct limbic_svm_info {
  size_t size;
  size_t classes, features, support_vectors;
  int64_t iterations; /* Of the pair that took most; 0 after loading. */
  int converged;      /* 0: max_iterations came first. */
  double gamma;
  int probability; /* 1: limbic_svm_probabilities works. */
} limbic_svm_info;
LIMBIC_API limbic_status limbic_svm_get_info(limbic_svm* svm, limbic_svm_info* info);
/* labels: info.classes; the order of columns of probabilities and of pairs of decisions. */
LIMBIC_API limbic_status limbic_svm_classes(limbic_svm* svm, int* labels, size_t count);
/* Any of these may be null. support: info.support_vectors rows of the training data, a class after
 * another in the order of limbic_svm_classes; vectors (support_vectors, features); coefficients
 * (classes - 1, support_vectors), LIBSVM's sv_coef; intercepts classes (classes - 1) / 2; per_class:
 * support vectors of each. */
LIMBIC_API limbic_status limbic_svm_parts(limbic_svm* svm, int64_t* support, float* vectors,
                                          double* coefficients, double* intercepts,
                                          int64_t* per_class);
/* x (rows, columns) -> a label a row. */
LIMBIC_API limbic_status limbic_svm_predict(limbic_svm* svm, const float* x, size_t rows,
                                            size_t columns, int* labels);
/* -> rows of classes (classes - 1) / 2 values; positive votes for the first of (0,1), (0,2) ... */
LIMBIC_API limbic_status limbic_svm_decisions(limbic_svm* svm, const float* x, size_t rows,
                                              size_t columns, double* decisions, size_t count);
/* -> rows of one value a class. */
LIMBIC_API limbic_status limbic_svm_probabilities(limbic_svm* svm, const float* x, size_t rows,
                                                  size_t columns, double* values, size_t count);

/* ---- Networks of one's own ---------------------------------------------------------------- */

typedef struct limbic_graph limbic_graph;
typedef struct limbic_trainer limbic_trainer;

/* A graph whose node 0 is the input (N,channels,H,W). */
LIMBIC_API limbic_status limbic_graph_new(size_t channels, limbic_graph** graph);
/* The graph of a network by name ("resnet20"), labelled "features" and "logits". */
LIMBIC_API limbic_status limbic_graph_of(const char* model, size_t classes, limbic_graph** graph);
LIMBIC_API limbic_status limbic_graph_free(limbic_graph* graph);
/* Appends a layer and gives its node. type and options, "name=value" between blanks:
 *   conv2d      out=N kernel=K [stride=1 padding=0 groups=1 dilation=1 bias=1]
 *   batch_norm  [eps=1e-5 momentum=0.1]       relu   relu6   silu   softmax
 *   hard_swish  gelu  sigmoid  tanh
 *   max_pool    kernel=K [stride=K padding=0] avg_pool  the same
 *   gap         global average: (N,C,H,W) -> (N,C)
 *   linear      out=N [bias=1]                dropout  p=P
 *   add, concat  of two sources or more
 * name: of its parameters ("conv1" has "conv1.weight"); of a layer without any it may be null. */
LIMBIC_API limbic_status limbic_graph_add(limbic_graph* graph, const char* type, const char* name,
                                          const char* options, const int* sources,
                                          size_t sources_count, int* node);
/* Gives a node a name that others use; "logits" is what is trained. */
LIMBIC_API limbic_status limbic_graph_label(limbic_graph* graph, const char* label, int node);
/* Channels of a node. */
LIMBIC_API limbic_status limbic_graph_channels(limbic_graph* graph, int node, size_t* channels);

typedef struct limbic_trainer_options {
  size_t size;
  size_t batch, height, width; /* Pictures of a step; their size. */
  double learning_rate, momentum, weight_decay;
  int nesterov;
  uint64_t seed; /* Of fresh parameters and of dropout. */
} limbic_trainer_options;

/* A network to train by stochastic gradient descent, with fresh parameters. */
LIMBIC_API limbic_status limbic_trainer_new(limbic_graph* graph,
                                            const limbic_trainer_options* options,
                                            limbic_trainer** trainer);
LIMBIC_API limbic_status limbic_trainer_free(limbic_trainer* trainer);
/* From now on. */
LIMBIC_API limbic_status limbic_trainer_set_learning_rate(limbic_trainer* trainer, double rate);
/* One step on images (n,C,H,W) and labels, of which there must be a batch: forward, softmax
 * cross-entropy, backward, update. loss, the mean before the update, may be null. */
LIMBIC_API limbic_status limbic_trainer_step(limbic_trainer* trainer, const float* images, size_t n,
                                             const int64_t* labels, double* loss);
/* A label's values for images, n up to the batch, computed as in inference. */
LIMBIC_API limbic_status limbic_trainer_run(limbic_trainer* trainer, const float* images, size_t n,
                                            const char* label, float* out, size_t count);
/* Values of one picture of a label. */
LIMBIC_API limbic_status limbic_trainer_width(limbic_trainer* trainer, const char* label,
                                              size_t* width);
/* Their extents, `rank` of up to 8: (C,H,W), or (C) of a classifier's. */
LIMBIC_API limbic_status limbic_trainer_shape(limbic_trainer* trainer, const char* label,
                                              int64_t shape[8], size_t* rank);
/* Parameters and running statistics by number; null at their end. */
LIMBIC_API const char* limbic_parameter_name(limbic_trainer* trainer, size_t index);
/* shape holds `rank` extents on return, of up to 8. */
LIMBIC_API limbic_status limbic_parameter_shape(limbic_trainer* trainer, const char* name,
                                                int64_t shape[8], size_t* rank);
LIMBIC_API limbic_status limbic_parameter_get(limbic_trainer* trainer, const char* name,
                                              float* values, size_t count);
/* The gradient of the last step. */
LIMBIC_API limbic_status limbic_parameter_gradient(limbic_trainer* trainer, const char* name,
                                                   float* values, size_t count);
LIMBIC_API limbic_status limbic_parameter_set(limbic_trainer* trainer, const char* name,
                                              const float* values, size_t count);
/* All parameters into, and out of, a checkpoint. */
LIMBIC_API limbic_status limbic_trainer_save(limbic_trainer* trainer, const char* path);
LIMBIC_API limbic_status limbic_trainer_load(limbic_trainer* trainer, const char* path);

#ifdef __cplusplus
}
#endif
#endif
