/* Writes algorithms.json: dense SIFT and LBP by VLFeat 0.9.21, linear SVMs by LIBLINEAR 2.3.0.
 *
 *   gcc make_algorithm_goldens.c -o make -lvl -llinear -lm && ./make > algorithms.json
 */
#include <linear.h>
#include <stdio.h>
#include <stdlib.h>
#include <vl/dsift.h>
#include <vl/lbp.h>

enum { width = 44, height = 37 };

/* Pixel of the test picture; the tests draw the same. */
static int pixel(int y, int x) {
  return (x * x + 3 * y * y + 7 * x * y + (x * 37 + y * 91) % 53) / 4 % 256;
}

static void print(const char* name, const float* values, int n) {
  printf("\"%s\": [", name);
  for (int i = 0; i < n; ++i) printf("%s%.6g", i ? "," : "", values[i]);
  printf("]");
}

static void quiet(const char* text) { (void)text; }

/* LIBLINEAR ends after 1,000 passes: C is small enough for it to converge. */
/* Features of row i: the first of two classes lies higher in two of five columns. */
static double feature(int i, int j) {
  return ((i * 73 + j * 149 + i * j * 31) % 101) / 50.0 - 1 + (i % 2 && j < 2 ? 0.6 : 0);
}

static void print_svm(int solver, double C, int first) {
  enum { n = 60, d = 5 };
  struct feature_node nodes[n][d + 2];
  struct feature_node* rows[n];
  double y[n];
  for (int i = 0; i < n; ++i) {
    for (int j = 0; j < d; ++j) nodes[i][j] = (struct feature_node){j + 1, feature(i, j)};
    nodes[i][d] = (struct feature_node){d + 1, 1};
    nodes[i][d + 1] = (struct feature_node){-1, 0};
    rows[i] = nodes[i];
    y[i] = i % 2 ? 1 : -1;
  }
  struct problem problem = {.l = n, .n = d + 1, .y = y, .x = rows, .bias = 1};
  struct parameter parameter = {.solver_type = solver, .eps = 1e-9, .C = C};
  struct model* model = train(&problem, &parameter);
  printf("%s{\"solver\": %d, \"C\": %g, \"w\": [", first ? "" : ", ", solver, C);
  for (int j = 0; j <= d; ++j)
    printf("%s%.9g", j ? "," : "", model->w[j] * (model->label[0] == 1 ? 1 : -1));
  printf("]}");
}

int main(void) {
  float image[width * height];
  for (int i = 0; i < width * height; ++i) image[i] = (float)pixel(i / width, i % width);
  printf("{");
  const int bins[] = {4, 6, 8};
  for (int i = 0; i < 3; ++i) {
    VlDsiftFilter* f = vl_dsift_new_basic(width, height, 8, bins[i]);
    char name[20];
    vl_dsift_process(f, image);
    sprintf(name, "sift%d", bins[i]);
    print(name, vl_dsift_get_descriptors(f), 128 * vl_dsift_get_keypoint_num(f));
    printf(",\n");
  }
  VlLbp* lbp = vl_lbp_new(VlLbpUniform, 0);
  float cells[58 * (width / 12) * (height / 12)] = {0};
  vl_lbp_process(lbp, cells, image, width, height, 12);
  print("lbp12", cells, 58 * (width / 12) * (height / 12));
  printf(",\n\"svm\": [");
  set_print_string_function(quiet);
  print_svm(3, 0.3, 1);
  print_svm(3, 2, 0);
  print_svm(1, 0.3, 0);
  print_svm(1, 2, 0);
  printf("]}\n");
  return 0;
}
