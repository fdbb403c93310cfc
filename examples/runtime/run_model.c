/* Opens a model, lists its inputs and outputs, and runs it once on zeros; every symbolic dimension gets extent 1.
   Usage: run_model FILE.moe */
#include <moert/moert.h>

#include <stdio.h>
#include <stdlib.h>

static int fail(const char *what) {
  fprintf(stderr, "%s: %s\n", what, moert_last_error());
  return 1;
}

static void print_tensor(const moert_program_t *program, const char *role, const moert_tensor_info_t *info) {
  printf("%s %s: %s [", role, info->name, moert_element_type_name(info->element_type));
  for (uint32_t i = 0; i < info->rank; ++i) {
    if (info->dims[i] >= 0)
      printf(" %lld", (long long)info->dims[i]);
    else
      printf(" %s", moert_program_symbol(program, (size_t)(-1 - info->dims[i])));
  }
  printf(" ]\n");
}

/* A view of zeros for one input. The caller frees `data` and `dims`. */
static int make_zeros(const moert_tensor_info_t *info, moert_tensor_view_t *view) {
  int64_t *dims = malloc((info->rank + 1) * sizeof(int64_t));
  uint64_t bytes = moert_element_type_size(info->element_type);
  if (!dims)
    return 0;
  for (uint32_t i = 0; i < info->rank; ++i) {
    dims[i] = info->dims[i] < 0 ? 1 : info->dims[i];
    bytes *= (uint64_t)dims[i];
  }
  view->element_type = info->element_type;
  view->rank = info->rank;
  view->dims = dims;
  view->byte_size = bytes;
  view->data = calloc(bytes ? bytes : 1, 1);
  return view->data != NULL;
}

static int run(const moert_program_t *program, moert_session_t *session, moert_tensor_view_t *inputs) {
  size_t input_count = moert_program_input_count(program), output_count = moert_program_output_count(program);
  for (size_t i = 0; i < input_count; ++i) {
    moert_tensor_info_t info = {sizeof(info), NULL, 0, 0, NULL};
    if (moert_program_input(program, i, &info) != MOERT_OK)
      return fail("input");
    print_tensor(program, "input", &info);
    if (!make_zeros(&info, &inputs[i]))
      return fail("memory");
  }
  /* Without output views the outputs lie in memory of the session, until its next run. */
  if (moert_session_run(session, inputs, input_count, NULL, 0) != MOERT_OK)
    return fail("run");
  for (size_t i = 0; i < output_count; ++i) {
    moert_tensor_info_t info = {sizeof(info), NULL, 0, 0, NULL};
    moert_tensor_view_t view;
    if (moert_program_output(program, i, &info) != MOERT_OK || moert_session_output(session, i, &view) != MOERT_OK)
      return fail("output");
    info.dims = view.dims;
    print_tensor(program, "output", &info);
  }
  return 0;
}

int main(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: run_model FILE.moe\n");
    return 1;
  }
  moert_program_t *program = NULL;
  if (moert_program_open(argv[1], NULL, &program) != MOERT_OK)
    return fail("open");
  moert_session_t *session = NULL;
  if (moert_session_create(program, NULL, &session) != MOERT_OK)
    return fail("session");
  size_t count = moert_program_input_count(program);
  moert_tensor_view_t *inputs = calloc(count + 1, sizeof(*inputs));
  int status = inputs ? run(program, session, inputs) : fail("memory");
  for (size_t i = 0; inputs && i < count; ++i) {
    free((void *)inputs[i].dims);
    free(inputs[i].data);
  }
  free(inputs);
  moert_session_destroy(session);
  moert_program_close(program);
  return status;
}
