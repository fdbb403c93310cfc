// moe-run and moe-dump as a user calls them, on programs that need no kernels.
#include "gpu_kernels.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <elf.h>
#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>
#include <sys/wait.h>
#include <unistd.h>

using namespace moert::test;

namespace {

class ToolsTest : public testing::Test {
protected:
  ToolsTest() : folder(std::filesystem::temp_directory_path() / ("moert_tools_" + std::to_string(getpid()))) {
    std::filesystem::create_directories(folder);
    write("copy.moe", makeCopyProgram().build());
    write("increment.moe", makeIncrementProgram().build());
    write("successor.moe", makeSuccessorModel().build());
  }
  ~ToolsTest() override { std::filesystem::remove_all(folder); }

  std::string path(const std::string &name) const { return folder / name; }

  void write(const std::string &name, const Bytes &bytes) {
    std::ofstream(path(name), std::ios::binary)
        .write(reinterpret_cast<const char *>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  }

  std::string read(const std::string &name) const {
    std::ostringstream text;
    text << std::ifstream(path(name), std::ios::binary).rdbuf();
    return text.str();
  }

  // Runs a command line; `FOLDER/` stands for the test's folder. Fills `out` and `error`.
  int run(std::string command) {
    for (size_t at; (at = command.find("FOLDER")) != command.npos;)
      command.replace(at, 6, folder.string());
    command = "LC_ALL=C " + command + " 2>" + path("stderr");
    std::FILE *pipe = popen(command.c_str(), "r");
    out.clear();
    std::array<char, 4096> piece;
    for (size_t got; (got = std::fread(piece.data(), 1, piece.size(), pipe)) > 0;)
      out.append(piece.data(), got);
    const int status = pclose(pipe);
    error = read("stderr");
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  int runModel(const std::string &arguments) { return run(MOE_RUN " " + arguments); }

  std::filesystem::path folder;
  std::string out, error;
};

#define EXPECT_HAS(text, piece) EXPECT_NE((text).find(piece), std::string::npos) << text

TEST_F(ToolsTest, RunWritesOutputs) {
  ASSERT_EQ(runModel("FOLDER/copy.moe --device=cpu --input x=2x3:random:7 --output-dir FOLDER/a"), 0) << error;
  // What was written can be read again.
  ASSERT_EQ(runModel("FOLDER/copy.moe --input x=@FOLDER/a/output_0.npy --output-dir FOLDER/b"), 0) << error;
  const std::string first = read("a/output_0.npy");
  EXPECT_EQ(first, read("b/output_0.npy"));
  EXPECT_EQ(first.size(), 128u + 24u);
  EXPECT_HAS(first, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }");
  ASSERT_EQ(runModel("FOLDER/copy.moe --input x=0x3:random --output-dir FOLDER/c"), 0) << error;
  EXPECT_HAS(read("c/output_0.npy"), "'shape': (0, 3)");
}

TEST_F(ToolsTest, RunRefuses) {
  struct Case {
    const char *arguments, *message;
  };
  for (const Case &entry : {
           Case{"", "no file given"},
           {"FOLDER/none.moe", "none.moe: cannot be opened"},
           {"FOLDER/copy.moe FOLDER/copy.moe", "unexpected argument"},
           {"FOLDER/copy.moe --device=tpu --input=x=1x3:random", "unknown device 'tpu', this build has: cpu, cuda"},
           {"FOLDER/copy.moe --counters", "--counters: device 'cpu' counts nothing, expected emu:sm_80"},
           {"FOLDER/copy.moe --colour", "unknown option --colour"},
           {"FOLDER/copy.moe --threads=many", "--threads: 'many' is not a number"},
           {"FOLDER/copy.moe --threads=-1", "--threads: -1 is negative"},
           {"FOLDER/copy.moe --json=yes", "--json takes no value"},
           {"FOLDER/copy.moe --input", "--input needs a value"},
           {"FOLDER/copy.moe --repeat-for=0", "--repeat-for: expected more than 0 seconds"},
           {"FOLDER/copy.moe --load=well", "--load=well: expected map or read"},
           {"FOLDER/copy.moe --generate=a --bench", "--generate and --bench exclude each other"},
           {"FOLDER/copy.moe", "no --input for 'x'"},
           {"FOLDER/copy.moe --input=y=1:random", "the model has no input 'y'"},
           {"FOLDER/copy.moe --input=x=1x3:random --input=x=1x3:random", "input 'x' is given twice"},
           {"FOLDER/copy.moe --input=x=1x:random", "extents must look like 2x3"},
           {"FOLDER/copy.moe --input=x=1x3", "expected NAME=@FILE.npy or NAME=2x3:random[:SEED]"},
           {"FOLDER/copy.moe --input=x", "expected NAME=@FILE.npy"},
           {"FOLDER/copy.moe --input=x=@FOLDER/none.npy", "none.npy' for input 'x'"},
           {"FOLDER/copy.moe --input=x=@FOLDER/copy.moe", "copy.moe: not a .npy file"},
           {"FOLDER/copy.moe --input=x=2x4:random", "input 'x' axis 1: extent 4, expected 3"},
           {"FOLDER/copy.moe --variant=x86-64-v9 --input=x=1x3:random", "no code variant 'x86-64-v9'"},
           {"FOLDER/copy.moe --generate=a", "the file has no tokenizer"},
       }) {
    EXPECT_EQ(runModel(entry.arguments), 1) << entry.arguments;
    EXPECT_HAS(error, "moe-run: ");
    EXPECT_HAS(error, entry.message);
    EXPECT_EQ(out, "");
  }
}

#ifdef MOERT_EMULATOR
TEST_F(ToolsTest, RunCountsOnTheEmulatedGpu) {
  write("add.moe", makeVectorAdd().build());
  const std::string inputs = " --input=a=200:random --input=b=200:random";
  ASSERT_EQ(runModel("FOLDER/add.moe --device=emu:sm_80 --counters" + inputs), 0) << error;
  EXPECT_TRUE(std::regex_search(out, std::regex("kernel add\n  launches +1\n  blocks +2\n"))) << out;
  EXPECT_TRUE(std::regex_search(out, std::regex("\n  instructions +[1-9]"))) << out;
  ASSERT_EQ(runModel("FOLDER/add.moe --device=emu:sm_80 --counters --json" + inputs), 0) << error;
  EXPECT_HAS(out, "{\"kernels\":[{\"kernel\":\"add\",\"launches\":1,\"blocks\":2,\"weight_bytes_needed\":0,\"weight_"
                  "bytes_ratio\":null,"
                  "\"instructions\":");
}
#endif

TEST_F(ToolsTest, DumpShowsCodeForGpus) {
  write("add.moe", makeVectorAdd().build());
  ASSERT_EQ(run(MOE_DUMP " FOLDER/add.moe"), 0) << error;
  EXPECT_HAS(out, "GPU variant sm_80\n  compute capability 8.0");
  EXPECT_TRUE(std::regex_search(out, std::regex("\n  add +128 threads, +0 bytes shared, registers not known"))) << out;
  ASSERT_EQ(run(MOE_DUMP " FOLDER/add.moe --json"), 0) << error;
  EXPECT_HAS(out, "{\"name\":\"add\",\"threads\":128,\"shared_bytes\":0,\"cooperative\":false,\"registers\":0");
  ASSERT_EQ(run(MOE_DUMP " FOLDER/add.moe --ptx --kernel=add"), 0) << error;
  EXPECT_HAS(out, "// sm_80\n.version 7.0\n.target sm_80\n.address_size 64\n.visible .entry add(.param");
  EXPECT_HAS(out, "\nret;\n}\n");
  ASSERT_EQ(run(MOE_DUMP " FOLDER/add.moe --step"), 0) << error;
  EXPECT_HAS(out, "dispatch add r0 r3 r3 r2 r3 'sum' %a %b s2 r0");
  struct Case {
    const char *arguments, *message;
  };
  for (const Case &entry : {Case{"add.moe --ptx --kernel=sub", "the file has no kernel 'sub'"},
                            {"copy.moe --ptx", "the file has no code for GPUs"},
                            {"add.moe --sass", "the file has no cubins"},
                            {"add.moe --opcodes", "the file has no cubins"}}) {
    EXPECT_EQ(run(MOE_DUMP " FOLDER/" + std::string(entry.arguments)), 1);
    EXPECT_HAS(error, entry.message);
  }
}

// A cubin as far as opcodes are concerned: an ELF file with two instructions of one function.
TEST_F(ToolsTest, DumpCountsOpcodes) {
  const char names[] = "\0.shstrtab\0.text.add";
  Elf64_Ehdr header = {};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  Elf64_Shdr table = {}, code = {};
  table.sh_name = 1;
  table.sh_offset = sizeof(header);
  table.sh_size = sizeof(names);
  code.sh_name = 11;
  code.sh_offset = table.sh_offset + table.sh_size;
  code.sh_size = 32;
  header.e_shoff = code.sh_offset + code.sh_size;
  header.e_shnum = 2;
  const uint32_t instructions[8] = {0xffff'f23c, 1, 2, 3, 0x94d, 4, 5, 6};
  Bytes cubin;
  auto append = [&](const void *data, size_t size) {
    const auto *begin = static_cast<const std::byte *>(data);
    cubin.insert(cubin.end(), begin, begin + size);
  };
  append(&header, sizeof(header));
  append(names, sizeof(names));
  append(instructions, sizeof(instructions));
  append(&table, sizeof(table));
  append(&code, sizeof(code));
  ArtifactBuilder builder = makeVectorAdd();
  const std::string ptx = makeModule({makeEntry("add", 3, 1, "")});
  builder.gpuVariant("sm_80", 80, ptx, {builder.gpuEntry("add", 128)}, cubin);
  write("cubin.moe", builder.build());
  ASSERT_EQ(run(MOE_DUMP " FOLDER/cubin.moe --opcodes"), 0) << error;
  EXPECT_EQ(out, "add (sm_80, compute capability 8.0)\n  0x94d EXIT: 1\n  0x23c HMMA: 1\n");
  EXPECT_EQ(run("env PATH=/nowhere " MOE_DUMP " FOLDER/cubin.moe --sass"), 1);
  EXPECT_HAS(error, "--sass needs nvdisasm, which is not installed");
  for (size_t size : {10u, 70u, 100u, 200u}) {
    cubin.resize(size);
    builder.gpuVariant("sm_80", 80, ptx, {builder.gpuEntry("add", 128)}, cubin);
    write("cubin.moe", builder.build());
    EXPECT_EQ(run(MOE_DUMP " FOLDER/cubin.moe --opcodes"), 1) << size;
  }
}

TEST_F(ToolsTest, RunRefusesBadNpy) {
  auto npy = [](std::string header, size_t bytes) {
    header.resize(118, ' ');
    return std::string("\x93NUMPY\x01\x00\x76\x00", 10) + header + std::string(bytes, '\0');
  };
  struct Case {
    std::string file, message;
  };
  for (const Case &entry : {
           Case{npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1, 3), }", 24), "element type '<f8'"},
           {npy("{'descr': '>f4', 'fortran_order': False, 'shape': (1, 3), }", 12), "element type '>f4'"},
           {npy("{'descr': '<f4', 'fortran_order': True, 'shape': (1, 3), }", 12), "Fortran order"},
           {npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 3), }", 11), "do not fit the shape"},
           {npy("{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 8), }", 0), "do not fit"},
           {npy("{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 3), }", 12), "bad shape"},
           {npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (3,), }", 12), "structured types"},
           {npy("{'what': 1}", 12), "unknown key 'what'"},
           {"\x93NUMPY\x09", "not a .npy file"},
           {std::string("\x93NUMPY\x09\x00", 8), ".npy version 9"},
           {npy("", 0).substr(0, 60), "truncated in the header"},
       }) {
    std::ofstream(path("bad.npy"), std::ios::binary) << entry.file;
    EXPECT_EQ(runModel("FOLDER/copy.moe --input=x=@FOLDER/bad.npy"), 1) << entry.message;
    EXPECT_HAS(error, entry.message);
  }
}

TEST_F(ToolsTest, RunMeasuresInputs) {
  ASSERT_EQ(runModel("FOLDER/copy.moe --input x=2x3:random --repeat-for 0.05 --json"), 0) << error;
  EXPECT_HAS(out, "{\"median_ms\":");
  EXPECT_HAS(out, "\"runs\":");
  EXPECT_EQ(std::count(out.begin(), out.end(), '\n'), 1);
}

TEST_F(ToolsTest, RunGenerates) {
  ASSERT_EQ(runModel("FOLDER/successor.moe --generate abc --max-new 5"), 0) << error;
  EXPECT_EQ(out, "defgh\n");
  EXPECT_HAS(error, "prompt: 4 tokens"); // the opening token, too
  EXPECT_HAS(error, "generated: 5 tokens");
  ASSERT_EQ(runModel("FOLDER/successor.moe --generate uv"), 0) << error;
  EXPECT_EQ(out, "wxy\n"); // z is a stop token
  ASSERT_EQ(runModel("FOLDER/successor.moe --generate a --max-new 20 --temperature 2 --top-k 1 --top-p 0.5"), 0);
  EXPECT_EQ(out, "bcdefghijklmnopqrstu\n");
  ASSERT_EQ(runModel("FOLDER/successor.moe --generate a --max-new 20 --temperature 9 --seed 3"), 0) << error;
  const std::string random = out;
  ASSERT_EQ(runModel("FOLDER/successor.moe --generate a --max-new 20 --temperature 9 --seed 3"), 0) << error;
  EXPECT_EQ(out, random);
}

// The score of the byte that is the length is best; the inputs that tell the length must agree with each other.
ArtifactBuilder makeLengthModel(int64_t lengthRank) {
  ArtifactBuilder builder;
  const int64_t seq = -1 - int64_t(builder.symbol("seq"));
  builder.input("input_ids", MOERT_I64, {1, seq});
  builder.input("seqlens_k", MOERT_I32, std::vector<int64_t>(static_cast<size_t>(lengthRank), 1));
  builder.input("total_sequence_length", MOERT_I64, {});
  builder.output("logits", MOERT_I32, {1, 256});
  builder.tokenizer = {MOERT_TOKENIZER_BYTE, 0, 0, 0, 0};
  enum { length, last, total, one, zero, vocabulary, isSame };
  StepWriter &steps = builder.steps;
  steps.step(MOERT_STEP_INPUT_DIM, {length, 0, 1});
  steps.step(MOERT_STEP_LOAD, {last, builder.inputSlot(1), zero, MOERT_I32});
  steps.step(MOERT_STEP_LOAD, {total, builder.inputSlot(2), zero, MOERT_I64});
  steps.constant(one, 1);
  steps.constant(vocabulary, 256);
  steps.step(MOERT_STEP_BINARY, {last, last, one, MOERT_BINARY_ADD});
  for (uint32_t told : {last, total}) {
    steps.step(MOERT_STEP_BINARY, {isSame, told, length, MOERT_BINARY_EQ});
    builder.check(isSame, "lengths differ");
  }
  steps.step(MOERT_STEP_OUTPUT, {builder.slot(0), 0, one, vocabulary});
  const uint32_t loop = steps.here();
  steps.step(MOERT_STEP_BINARY, {isSame, zero, length, MOERT_BINARY_EQ});
  steps.step(MOERT_STEP_STORE, {builder.slot(0), zero, isSame, MOERT_I32});
  steps.step(MOERT_STEP_BINARY, {zero, zero, one, MOERT_BINARY_ADD});
  steps.step(MOERT_STEP_BINARY, {isSame, zero, vocabulary, MOERT_BINARY_EQ});
  steps.step(MOERT_STEP_JUMP_IF_ZERO, {isSame, loop});
  steps.step(MOERT_STEP_RETURN, {});
  return builder;
}

TEST_F(ToolsTest, GenerateTellsTheLength) {
  write("length.moe", makeLengthModel(1).build());
  const std::string text(48, 'a'); // the digits begin at 48
  EXPECT_EQ(runModel("FOLDER/length.moe --generate " + text + " --max-new 3"), 0) << error;
  EXPECT_EQ(out, "012\n");
  write("rank.moe", makeLengthModel(2).build());
  EXPECT_EQ(runModel("FOLDER/rank.moe --generate a"), 1);
  EXPECT_HAS(error, "cannot generate: input 'seqlens_k' has rank 2, expected 1");
}

TEST_F(ToolsTest, RunBenchmarks) {
  ASSERT_EQ(runModel("FOLDER/successor.moe --bench --prefill 4 --decode 3 --repeat 2 --json"), 0) << error;
  for (const char *key : {"prefill_tokens_per_s", "decode_tokens_per_s", "step_p95_ms", "machine_read_gb_per_s"})
    EXPECT_HAS(out, key);
}

TEST_F(ToolsTest, RunWritesReports) {
  ASSERT_EQ(runModel("FOLDER/copy.moe --input x=1x3:random --trace FOLDER/t.json --routing FOLDER/r.json"), 0) << error;
  EXPECT_HAS(read("t.json"), "\"traceEvents\":[");
  EXPECT_HAS(read("r.json"), "{\"layers\":[");
  ASSERT_EQ(runModel("FOLDER/copy.moe --input x=1x3:random --trace FOLDER/none/t.json"), 1);
  EXPECT_HAS(error, "cannot write");
}

TEST_F(ToolsTest, TraceNamesKernelsForPerf) {
  // The kernel is a function of this process: without rows none is called.
  ASSERT_EQ(run("sh -c 'echo $$; exec " MOE_RUN " FOLDER/increment.moe --input x=0x3:random --trace FOLDER/t.json'"), 0)
      << error;
  const std::filesystem::path map = "/tmp/perf-" + std::to_string(std::stol(out)) + ".map";
  ASSERT_TRUE(std::filesystem::exists(map)) << out;
  std::ostringstream text;
  text << std::ifstream(map).rdbuf();
  std::filesystem::remove(map);
  EXPECT_TRUE(std::regex_match(text.str(), std::regex("[0-9a-f]+ [0-9a-f]+ increment\n"))) << text.str();
}

TEST_F(ToolsTest, RequiresASignature) {
  write("signed.moe", makeCopyProgram().buildSigned(1));
  const Bytes key = ArtifactBuilder::getPublicKey(1);
  write("right", key);
  write("wrong", ArtifactBuilder::getPublicKey(2));
  std::string digits;
  for (std::byte byte : key) {
    digits += "0123456789abcdef"[std::to_integer<int>(byte) >> 4];
    digits += "0123456789abcdef"[std::to_integer<int>(byte) & 15];
  }
  std::ofstream(path("digits")) << digits << "\n";
  ASSERT_EQ(run(MOE_DUMP " FOLDER/signed.moe --verify --public-key FOLDER/digits"), 0) << error;
  EXPECT_HAS(out, "signed by    " + digits);
  ASSERT_EQ(run(MOE_DUMP " FOLDER/signed.moe --json"), 0) << error;
  EXPECT_HAS(out, "\"signed_by\":\"" + digits + "\"");
  const std::string input = " --input x=1x3:random ";
  EXPECT_EQ(runModel("FOLDER/signed.moe --public-key FOLDER/right" + input), 0) << error;
  EXPECT_EQ(runModel("FOLDER/signed.moe --public-key FOLDER/wrong" + input), 1);
  EXPECT_HAS(error, "signed.moe: the file is signed by another key, " + digits);
  EXPECT_EQ(run(MOE_DUMP " FOLDER/copy.moe --public-key FOLDER/right"), 1);
  EXPECT_HAS(error, "copy.moe: the file is not signed");
  EXPECT_EQ(run(MOE_DUMP " FOLDER/copy.moe --public-key FOLDER/copy.moe"), 1);
  EXPECT_HAS(error, "is no public key: expected 32 bytes or 64 hexadecimal digits, found");
  EXPECT_EQ(runModel("FOLDER/copy.moe --public-key FOLDER/none" + input), 1);
  EXPECT_HAS(error, "cannot read");
}

TEST_F(ToolsTest, DumpDescribes) {
  ASSERT_EQ(run(MOE_DUMP " FOLDER/successor.moe --verify --step"), 0) << error;
  EXPECT_HAS(out, "input_dim r0 %input_ids 1");
  EXPECT_HAS(out, "check r0 'no tokens'");
  EXPECT_HAS(out, "all hashes match");
  ASSERT_EQ(run(MOE_DUMP " FOLDER/successor.moe"), 0) << error;
  EXPECT_HAS(out, "input  input_ids");
  EXPECT_HAS(out, "i64[1 x seq]");
  EXPECT_HAS(out, "state  present -> past, axis 1");
  EXPECT_HAS(out, "tokens are bytes, token 0 opens a text, 1 stop tokens");
  ASSERT_EQ(run(MOE_DUMP " FOLDER/successor.moe --json"), 0) << error;
  EXPECT_HAS(out, "\"dims\":[1,\"seq\"]");
  EXPECT_EQ(run(MOE_DUMP " FOLDER/none.moe"), 1);
  EXPECT_HAS(error, "none.moe: cannot be opened");
}

} // namespace
