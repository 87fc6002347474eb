/* A network of one's own, built and trained from C: which corner of a picture is lit?
 *
 *     cc train.c -o train $(pkg-config --cflags --libs limbic_c)
 */
#include <limbic/limbic_c.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { batch = 32, side = 16 };

/* A call that must work. */
static void must(limbic_status status) {
  if (status == LIMBIC_OK) return;
  fprintf(stderr, "%s\n", limbic_last_error());
  exit(1);
}

static int layer(limbic_graph* graph, const char* type, const char* name, const char* options,
                 int source) {
  int node = 0;
  must(limbic_graph_add(graph, type, name, options, &source, 1, &node));
  return node;
}

static uint32_t random_bits(void) {
  static uint32_t state = 1;
  state ^= state << 13, state ^= state >> 17, state ^= state << 5;
  return state;
}

/* Noise, and one of the four quarters brighter. */
static void draw(float* images, int64_t* labels) {
  for (int n = 0; n < batch; ++n) {
    labels[n] = random_bits() % 4;
    for (int y = 0; y < side; ++y)
      for (int x = 0; x < side; ++x) {
        const int quarter = 2 * (y >= side / 2) + (x >= side / 2);
        images[(n * side + y) * side + x] =
            (float)(random_bits() % 1000) / 1000 + (quarter == labels[n] ? 0.5f : 0.0f);
      }
  }
}

int main(void) {
  limbic_graph* graph = NULL;
  must(limbic_graph_new(1, &graph));
  int node = layer(graph, "conv2d", "conv", "out=8 kernel=3 padding=1 bias=0", 0);
  node = layer(graph, "batch_norm", "bn", NULL, node);
  node = layer(graph, "relu", NULL, NULL, node);
  node = layer(graph, "avg_pool", NULL, "kernel=8", node);
  node = layer(graph, "conv2d", "head", "out=4 kernel=2", node);
  node = layer(graph, "gap", NULL, NULL, node);
  must(limbic_graph_label(graph, "logits", node));

  limbic_trainer_options options = {.size = sizeof options, .batch = batch, .height = side,
                                    .width = side, .learning_rate = 0.1, .momentum = 0.9};
  limbic_trainer* trainer = NULL;
  must(limbic_trainer_new(graph, &options, &trainer));
  static float images[batch * side * side];
  int64_t labels[batch];
  double loss = 0;
  for (int step = 1; step <= 60; ++step) {
    draw(images, labels);
    must(limbic_trainer_step(trainer, images, batch, labels, &loss));
    if (step % 20 == 0) printf("step %d: loss %.3f\n", step, loss);
  }
  draw(images, labels);
  float logits[batch * 4];
  must(limbic_trainer_run(trainer, images, batch, "logits", logits, batch * 4));
  int right = 0;
  for (int n = 0; n < batch; ++n) {
    int best = 0;
    for (int c = 1; c < 4; ++c)
      if (logits[4 * n + c] > logits[4 * n + best]) best = c;
    right += best == labels[n];
  }
  printf("%d of %d right\n", right, batch);
  limbic_trainer_free(trainer);
  limbic_graph_free(graph);
  return right >= batch * 9 / 10 ? 0 : 1;
}
