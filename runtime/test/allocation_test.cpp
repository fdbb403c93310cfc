// Every allocation of this program passes here: it is counted, and can be made to fail.
#include "runtime_fixture.h"

#include <atomic>
#include <cstdlib>
#include <new>

namespace {

std::atomic<int64_t> allocations = 0;
std::atomic<int64_t> allocationsLeft = -1; // fails when it reaches 0; never if negative

void *allocate(size_t size, size_t alignment) noexcept {
  ++allocations;
  if (allocationsLeft >= 0 && allocationsLeft-- == 0) {
    allocationsLeft = 0; // from now on all fail
    return nullptr;
  }
  return std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
}

void *allocateOrThrow(size_t size, size_t alignment) {
  if (void *memory = allocate(size, alignment))
    return memory;
  throw std::bad_alloc();
}

} // namespace

void *operator new(size_t size) { return allocateOrThrow(size, 16); }
void *operator new[](size_t size) { return allocateOrThrow(size, 16); }
void *operator new(size_t size, const std::nothrow_t &) noexcept { return allocate(size, 16); }
void *operator new[](size_t size, const std::nothrow_t &) noexcept { return allocate(size, 16); }
void *operator new(size_t size, std::align_val_t align) { return allocateOrThrow(size, size_t(align)); }
void *operator new(size_t size, std::align_val_t align, const std::nothrow_t &) noexcept {
  return allocate(size, size_t(align));
}
void operator delete(void *memory) noexcept { std::free(memory); }
void operator delete[](void *memory) noexcept { std::free(memory); }
void operator delete(void *memory, size_t) noexcept { std::free(memory); }
void operator delete[](void *memory, size_t) noexcept { std::free(memory); }
void operator delete(void *memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void *memory, size_t, std::align_val_t) noexcept { std::free(memory); }

using namespace moert::test;

namespace {

// Calls `body` with the first allocation failing, then the second, and so on, until it succeeds.
template <typename Body> int failEachAllocation(Body body) {
  for (int number = 0;; ++number) {
    allocationsLeft = number;
    const moert_status_t status = body();
    allocationsLeft = -1;
    if (status == MOERT_OK)
      return number;
    EXPECT_EQ(status, MOERT_OUT_OF_MEMORY) << "allocation " << number << ": " << moert_last_error();
    if (status != MOERT_OUT_OF_MEMORY || number > 100000)
      return -1;
  }
}

TEST(Allocation, FailureOfOpenIsAStatus) {
  const Bytes file = makeSuccessorModel().build();
  EXPECT_GT(failEachAllocation([&] {
              ProgramPtr program;
              return tryOpen(file, program);
            }),
            10);
}

TEST(Allocation, FailureOfASessionIsAStatus) {
  const ProgramPtr program = open(makeIncrementProgram().build());
  EXPECT_GT(failEachAllocation([&] {
              moert_session_options_t options = MOERT_SESSION_OPTIONS_INIT;
              options.thread_count = 3;
              moert_session_t *session = nullptr;
              const moert_status_t status = moert_session_create(program.get(), &options, &session);
              moert_session_destroy(session);
              return status;
            }),
            5);
}

class AllocationOfState : public testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(State, AllocationOfState, testing::Bool(),
                         [](const auto &info) { return info.param ? "InPlace" : "Functional"; });

TEST_P(AllocationOfState, FailureIsAStatus) {
  const ProgramPtr program = open(makeSuccessorModel(GetParam()).build());
  std::vector<int64_t> tokens = {10, 20};
  const std::vector<int64_t> dims = {1, 2};
  const moert_tensor_view_t input = viewOf(tokens, dims);
  SessionPtr session = makeSession(program.get());
  EXPECT_GT(failEachAllocation([&] { return moert_session_step(session.get(), &input, 1, nullptr, 0); }), 1);
  EXPECT_EQ(moert_session_state_length(session.get()), 2); // only the step that succeeded
  EXPECT_GT(failEachAllocation([&] {
              moert_session_t *copy = nullptr;
              const moert_status_t status = moert_session_state_fork(session.get(), &copy);
              moert_session_destroy(copy);
              return status;
            }),
            5);
}

TEST(Allocation, RepeatedRunsTakeNoMemory) {
  const ProgramPtr program = open(makeIncrementProgram().build());
  const SessionPtr session = makeSession(program.get(), 2);
  std::vector<float> elements(3000);
  const std::vector<int64_t> dims = {1000, 3};
  moert_tensor_view_t input = viewOf(elements, dims);
  for (int round = 0; round < 3; ++round)
    ASSERT_EQ(moert_session_run(session.get(), &input, 1, nullptr, 0), MOERT_OK) << moert_last_error();
  const int64_t before = allocations;
  for (int round = 0; round < 10; ++round)
    moert_session_run(session.get(), &input, 1, nullptr, 0);
  EXPECT_EQ(allocations - before, 0);
}

TEST_P(AllocationOfState, StepsTakeMemoryRarely) {
  const ProgramPtr program = open(makeSuccessorModel(GetParam()).build());
  const SessionPtr session = makeSession(program.get());
  std::vector<int64_t> tokens = {10};
  const std::vector<int64_t> dims = {1, 1};
  const moert_tensor_view_t input = viewOf(tokens, dims);
  auto step = [&] { ASSERT_EQ(moert_session_step(session.get(), &input, 1, nullptr, 0), MOERT_OK); };
  for (int round = 0; round < 5; ++round)
    step();
  const int64_t before = allocations;
  for (int round = 0; round < 1000; ++round)
    step();
  EXPECT_LE(allocations - before, 10); // a buffer in place doubles now and then
}

} // namespace
