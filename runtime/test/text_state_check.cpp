// Checks the state of a compiled language model: text_state_check FILE.moe. After truncate (unless a state is replaced
// by each step), fork, save and load a step gives the same bits as before; steps one by one agree with one step over
// all tokens; and a decode step takes no memory, runs every task once, and its tasks read the bytes of active experts
// exactly once and no others. Prints what is wrong and exits with 1.
#include "text_model.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <set>

using namespace moert::tools;

namespace {

int problems = 0;

void expect(bool holds, const char *what) {
  if (!holds)
    std::printf("wrong: %s\n", what);
  problems += !holds;
}

// A session with the scores of its last token.
class Decoder {
public:
  Decoder(const moert_program_t *program, SessionHandle handle) : signature(program), session(std::move(handle)) {}

  std::vector<double> step(const std::vector<int64_t> &tokens) {
    const int64_t before = moert_session_state_length(session.get());
    std::vector<Tensor> tensors;
    std::vector<moert_tensor_view_t> views;
    for (const TextSignature::Input &input : signature.inputs)
      tensors.push_back(makeTextInput(input, tokens, before));
    for (Tensor &tensor : tensors)
      views.push_back(tensor.getView());
    check(moert_session_step(session.get(), views.data(), views.size(), nullptr, 0));
    return readLastScores(session.get(), signature.logits);
  }

  std::vector<std::vector<double>> stepEach(const std::vector<int64_t> &tokens) {
    std::vector<std::vector<double>> scores;
    for (int64_t token : tokens)
      scores.push_back(step({token}));
    return scores;
  }

  moert_session_t *get() const { return session.get(); }

private:
  TextSignature signature;
  SessionHandle session;
};

double relativeError(const std::vector<double> &a, const std::vector<double> &b) {
  double error = 0, size = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    error = std::max(error, std::fabs(a[i] - b[i]));
    size = std::max(size, std::fabs(a[i]));
  }
  return error / size;
}

// A new session on the state of `decoder`.
Decoder forkOf(const moert_program_t *program, const Decoder &decoder) {
  moert_session_t *copy = nullptr;
  check(moert_session_state_fork(decoder.get(), &copy));
  return {program, SessionHandle(copy)};
}

bool canTruncate(const moert_program_t *program) {
  for (size_t i = 0; i < moert_program_state_count(program); ++i) {
    moert_state_t state;
    check(moert_program_state(program, i, &state));
    if (state.axis == MOERT_STATE_REPLACED)
      return false;
  }
  return true;
}

void checkState(const moert_program_t *program, const moert_session_options_t &options) {
  std::vector<int64_t> prompt, rest;
  for (int64_t i = 0; i < 24; ++i)
    (i < 16 ? prompt : rest).push_back(i ? 97 + i * 7 % 26 : 0);
  const auto kept = static_cast<int64_t>(prompt.size());
  Decoder decoder(program, createSession(program, options));
  decoder.step(prompt);
  Decoder fork = forkOf(program, decoder);
  std::vector<std::byte> saved;
  size_t size = 0;
  moert_session_state_save(decoder.get(), nullptr, 0, &size);
  saved.resize(size);
  check(moert_session_state_save(decoder.get(), saved.data(), size, &size));
  const auto expected = decoder.stepEach(rest);

  if (canTruncate(program)) {
    check(moert_session_state_truncate(decoder.get(), kept));
    const uint64_t memory = moert_session_memory(decoder.get());
    expect(decoder.stepEach(rest) == expected, "scores after truncate");
    expect(moert_session_memory(decoder.get()) == memory, "memory after steps over lengths seen before");
  }
  expect(fork.stepEach(rest) == expected, "scores after fork");
  Decoder loaded(program, createSession(program, options));
  check(moert_session_state_load(loaded.get(), saved.data(), saved.size()));
  expect(loaded.stepEach(rest) == expected, "scores after save and load");

  std::vector<int64_t> all = prompt;
  all.insert(all.end(), rest.begin(), rest.end());
  check(moert_session_state_reset(decoder.get()));
  expect(relativeError(decoder.step(all), expected.back()) < 1e-4, "scores of one step over all tokens");
}

// What a decode step reported.
struct StepTrace {
  uint64_t dispatches = 0, allocations = 0;
  bool tasksRunOnce = true, allocates = false;
  std::map<std::pair<uint32_t, uint32_t>, std::vector<moert_trace_read_t>> reads; // by weight and expert
  std::map<size_t, std::set<int32_t>> activeExperts;

  void record(const moert_trace_dispatch_t &dispatch) {
    std::map<int64_t, int64_t> claims;
    for (size_t i = 0; i < dispatch.task_count; ++i)
      tasksRunOnce &= claims.emplace(dispatch.tasks[i].begin, dispatch.tasks[i].end).second;
    int64_t next = 0;
    for (auto [begin, end] : claims) {
      tasksRunOnce &= begin == next;
      next = end;
    }
    tasksRunOnce &= next == dispatch.grid;
    allocates |= dispatch.allocations != allocations;
    for (size_t i = 0; i < dispatch.read_count; ++i)
      reads[{dispatch.reads[i].weight, dispatch.reads[i].expert}].push_back(dispatch.reads[i]);
  }

  // Whether what tasks read of a range adds up to it, without gap or overlap.
  bool isReadOnce(const moert_expert_range_t &range) {
    std::vector<moert_trace_read_t> &pieces = reads[{range.weight, range.expert}];
    std::sort(pieces.begin(), pieces.end(), [](const auto &a, const auto &b) { return a.offset < b.offset; });
    uint64_t next = range.offset;
    for (const moert_trace_read_t &piece : pieces) {
      if (piece.offset != next)
        return false;
      next += piece.byte_size;
    }
    return next == range.offset + range.size;
  }
};

void checkTrace(const moert_program_t *program, moert_session_options_t options) {
  StepTrace trace;
  options.trace_context = options.routing_context = &trace;
  options.trace = [](void *context, const moert_trace_dispatch_t *dispatch) {
    auto &known = *static_cast<StepTrace *>(context);
    if (known.dispatches++ == 0)
      known.allocations = dispatch->allocations;
    known.record(*dispatch);
  };
  options.routing = [](void *context, size_t layer, int64_t tokens, uint32_t selected, const int32_t *experts,
                       const float *) {
    static_cast<StepTrace *>(context)->activeExperts[layer].insert(experts, experts + tokens * selected);
  };
  Decoder decoder(program, createSession(program, options));
  decoder.step({0, 97, 98, 99});
  decoder.step({100});
  if (canTruncate(program))
    check(moert_session_state_truncate(decoder.get(), 4));
  trace = {};
  decoder.step({100});
  expect(trace.tasksRunOnce, "tasks that run once");
  expect(!trace.allocates, "a decode step without allocation");
  expect(trace.activeExperts.size() == moert_program_layer_count(program), "every layer reports its routing");
  for (size_t layer = 0; layer < moert_program_layer_count(program); ++layer) {
    moert_layer_info_t info = {sizeof(info), nullptr, nullptr, nullptr, 0, 0, 0};
    check(moert_program_layer(program, layer, &info));
    expect(trace.activeExperts[layer].size() == info.selected, "as many active experts as the router selects");
    for (size_t i = 0; i < info.range_count; ++i) {
      moert_expert_range_t range;
      check(moert_program_expert_range(program, layer, i, &range));
      if (trace.activeExperts[layer].count(static_cast<int32_t>(range.expert)))
        expect(trace.isReadOnce(range), "the bytes of every active expert are claimed exactly once");
      else
        expect(trace.reads.count({range.weight, range.expert}) == 0, "no bytes of other experts are claimed");
    }
  }
}

} // namespace

int main(int argc, char **argv) {
  try {
    if (argc != 2)
      throw ToolError("usage: text_state_check FILE.moe");
    moert_program_t *opened = nullptr;
    check(moert_program_open(argv[1], nullptr, &opened));
    const ProgramHandle program(opened);
    for (uint32_t threads : {1u, 2u}) {
      moert_session_options_t options = MOERT_SESSION_OPTIONS_INIT;
      options.thread_count = threads;
      checkState(program.get(), options);
      checkTrace(program.get(), options);
    }
  } catch (const std::exception &error) {
    std::printf("%s\n", error.what());
    return 1;
  }
  return problems == 0 ? 0 : 1;
}
