/* What a model says of photos, a line of JSON each: what `limbic predict --format json` prints for a
 * folder that `limbic fit` made, and `limbic classify --format json` for a checkpoint.
 *
 *     cc predict.c -o predict $(pkg-config --cflags --libs limbic_c)
 *     ./predict model photo.jpg
 */
#include <limbic/limbic_c.h>
#include <stdio.h>
#include <stdlib.h>

static int failed(const char* what) {
  fprintf(stderr, "%s: %s\n", what, limbic_last_error());
  return 1;
}

int main(int argc, char** argv) {
  if (argc < 3) {
    fprintf(stderr, "usage: predict MODEL PHOTO...\n");
    return 2;
  }
  limbic_model* model = NULL;
  if (limbic_open(argv[1], NULL, &model) != LIMBIC_OK) return failed(argv[1]);
  const char* remark = NULL;
  for (size_t i = 0; (remark = limbic_remark(model, i)) != NULL; ++i) fprintf(stderr, "%s\n", remark);

  const size_t count = (size_t)argc - 2;
  limbic_picture* photos = malloc(count * sizeof *photos);
  if (photos == NULL) return 1;
  for (size_t i = 0; i < count; ++i) photos[i] = limbic_picture_file(argv[2 + i]);

  limbic_answers* answers = NULL;
  const limbic_status status = limbic_predict(model, photos, count, &answers);
  free(photos);
  if (status != LIMBIC_OK) return failed(argv[1]);
  int bad = 0;
  for (size_t i = 0; i < count; ++i) {
    printf("%s\n", limbic_answer_json(answers, i, argv[2 + i], 5));
    bad += limbic_answer_error(answers, i) != NULL;
  }
  limbic_answers_free(answers);
  limbic_model_free(model);
  return bad == 0 ? 0 : 3;
}
