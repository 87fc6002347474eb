#pragma once
// All of Limbic that this build has, for those who embed it. Reading is easier one header at a time.

// Ring 1: tensors, layers, plans, networks.
#include "limbic/core/error.h"
#include "limbic/core/parallel.h"
#include "limbic/core/parameters.h"
#include "limbic/core/tensor.h"
#include "limbic/core/version.h"
#include "limbic/models/models.h"
#include "limbic/nn/calibrate.h"
#include "limbic/nn/graph/graph.h"
#include "limbic/nn/loss.h"
#include "limbic/nn/ops/activation.h"
#include "limbic/nn/ops/add.h"
#include "limbic/nn/ops/batch_norm.h"
#include "limbic/nn/ops/concat.h"
#include "limbic/nn/ops/conv2d.h"
#include "limbic/nn/ops/dropout.h"
#include "limbic/nn/ops/linear.h"
#include "limbic/nn/ops/pool2d.h"
#include "limbic/nn/ops/reshape.h"
#include "limbic/nn/ops/softmax.h"
#include "limbic/nn/plan.h"

// Ring 2: pictures, checkpoints, the SVM, training.
#if __has_include("limbic/train/trainer.h")
#include "limbic/io/dataset.h"
#include "limbic/io/decode.h"
#include "limbic/io/loader.h"
#include "limbic/io/preset.h"
#include "limbic/network/network.h"
#include "limbic/network/predictor.h"
#include "limbic/svm/libsvm_format.h"
#include "limbic/svm/scaler.h"
#include "limbic/svm/svc.h"
#include "limbic/svm/svr.h"
#include "limbic/train/trainer.h"
#include "limbic/weights/load.h"
#include "limbic/weights/safetensors.h"
#endif
