/* The public headers compile as strict C11. */
#include "moert/moert.h"

#include "moert/moert_artifact.h"
#include "moert/moert_kernel_abi.h"

_Static_assert(sizeof(moert_file_header_t) == 64, "header without padding");
_Static_assert(sizeof(moert_section_t) == 56, "section without padding");
_Static_assert(sizeof(moert_tensor_t) == 24, "tensor without padding");
_Static_assert(sizeof(moert_weight_t) == 40, "weight without padding");
_Static_assert(sizeof(moert_code_t) == 40, "code without padding");
_Static_assert(sizeof(moert_layer_t) == 40, "layer without padding");
_Static_assert(sizeof(moert_expert_range_t) == 24, "expert range without padding");
_Static_assert(sizeof(moert_tokenizer_t) == 24, "tokenizer without padding");

int main(void) {
  moert_program_options_t program = MOERT_PROGRAM_OPTIONS_INIT;
  moert_session_options_t session = MOERT_SESSION_OPTIONS_INIT;
  return program.size == sizeof(program) && session.size == sizeof(session) && moert_version() != 0 ? 0 : 1;
}
