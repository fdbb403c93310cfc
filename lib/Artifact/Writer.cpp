//===- Writer.cpp - writes .moe files ---------------------------------------===//

#include "moec/Artifact/Writer.h"
#include "ProgramEncoder.h"
#include "Tables.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "moec/Dialect/Step/Step.h"
#include "llvm/Support/raw_ostream.h"
#include <sodium.h>

using namespace mlir;
using namespace moec;
using namespace moec::artifact;

namespace {

/// A section under construction that goes to the file as it is made: padding, bytes, hash.
class SectionStream : public llvm::raw_ostream {
public:
  SectionStream(llvm::raw_pwrite_stream &file, uint32_t type) : file(file) {
    padTo(MOERT_SECTION_ALIGNMENT, file);
    section = {type, 0, file.tell(), 0, {}};
    crypto_generichash_init(&state, nullptr, 0, sizeof(section.hash));
  }
  ~SectionStream() override { flush(); }

  /// Zeroes up to the next multiple of `alignment` within the section.
  void align(uint64_t alignment) { write_zeros(llvm::offsetToAlignment(tell(), llvm::Align(alignment))); }

  moert_section_t finish() {
    flush();
    section.size = current_pos();
    crypto_generichash_final(&state, section.hash, sizeof(section.hash));
    return section;
  }

  static void padTo(uint64_t alignment, llvm::raw_ostream &stream) {
    stream.write_zeros(llvm::offsetToAlignment(stream.tell(), llvm::Align(alignment)));
  }

private:
  void write_impl(const char *data, size_t size) override {
    crypto_generichash_update(&state, reinterpret_cast<const unsigned char *>(data), size);
    file.write(data, size);
    position += size;
  }
  uint64_t current_pos() const override { return position; }

  llvm::raw_pwrite_stream &file;
  moert_section_t section;
  crypto_generichash_state state;
  uint64_t position = 0;
};

/// Cubins are ELF files, whose structures are aligned.
constexpr uint64_t cubinAlignment = 64;

class ArtifactWriter {
public:
  ArtifactWriter(ModuleOp module, ArrayRef<const CpuVariant *> variants, ArrayRef<CodeImage> images,
                 ArrayRef<GpuImage> gpuImages, const ArtifactOptions &options, WeightWriter writeWeight,
                 llvm::raw_pwrite_stream &file)
      : module(module), variants(variants), images(images), gpuImages(gpuImages), options(options),
        writeWeight(writeWeight), file(file) {}

  LogicalResult run() {
    auto programs = module.getOps<step::ProgramOp>();
    if (!llvm::hasSingleElement(programs))
      return module.emitError("expected one step.program");
    program = *programs.begin();
    for (auto kernel : module.getOps<step::KernelOp>())
      kernels.push_back(kernel);

    file.write_zeros(MOERT_SECTION_ALIGNMENT); // header and table, written last
    if (failed(writeProgram()) || failed(writeWeights()))
      return failure();
    writeKernels();
    writeTaskReads();
    writeSignature();
    writeLayers();
    writeStates();
    writeTokenizer();
    writeInfo();
    for (auto [variant, image] : llvm::zip_equal(variants, images))
      if (failed(writeCode(*variant, image)))
        return failure();
    for (const GpuImage &image : gpuImages)
      if (failed(writeGpuCode(image)))
        return failure();
    writeRecords(MOERT_SECTION_DIMS, pools.dimValues());
    writeRecords(MOERT_SECTION_SYMBOLS, pools.symbols());
    writeRecords(MOERT_SECTION_STRINGS, pools.stringBytes());
    // What it holds is known once the table is.
    if (options.signingKey)
      writeRecords(MOERT_SECTION_SEAL, ArrayRef(moert_seal_t()));
    writeHeader();
    return success();
  }

private:
  template <typename T>
  void writeRecords(uint32_t type, ArrayRef<T> records) {
    SectionStream stream(file, type);
    writeArray(stream, records);
    sections.push_back(stream.finish());
  }
  template <typename T>
  static void writeArray(llvm::raw_ostream &stream, ArrayRef<T> records) {
    stream.write(reinterpret_cast<const char *>(records.data()), records.size() * sizeof(T));
  }

  LogicalResult writeProgram() {
    llvm::StringMap<uint32_t> kernelIndex;
    for (auto [index, kernel] : llvm::enumerate(kernels))
      kernelIndex[kernel.getSymName()] = index;
    FailureOr<EncodedProgram> encoded = encodeProgram(program, kernelIndex, pools);
    if (failed(encoded))
      return failure();
    SectionStream stream(file, MOERT_SECTION_PROGRAM);
    writeArray(stream, ArrayRef(encoded->header));
    writeArray(stream, ArrayRef(encoded->words));
    sections.push_back(stream.finish());
    return success();
  }

  LogicalResult writeWeights() {
    SymbolTable symbols(module);
    SectionStream data(file, MOERT_SECTION_WEIGHT_DATA);
    for (auto symbol : program.getWeights().getAsRange<FlatSymbolRefAttr>()) {
      auto weight = symbols.lookup<moe::WeightOp>(symbol.getValue());
      if (!weight)
        return program.emitOpError("names ") << symbol << ", which is not a moe.weight";
      data.align(MOERT_TENSOR_ALIGNMENT);
      moert_weight_t record = describe(weight);
      record.offset = data.tell();
      if (failed(writeWeight(weight, data)))
        return failure();
      if (data.tell() - record.offset != record.size)
        return weight.emitOpError("expected ") << record.size << " bytes, found " << data.tell() - record.offset;
      weightIndex[symbol] = weights.size();
      weights.push_back(record);
    }
    sections.push_back(data.finish());
    writeRecords(MOERT_SECTION_WEIGHTS, ArrayRef(weights));
    return success();
  }

  /// The logical shape and the encoding of a weight; a packed one is computed by moe.pack_panels.
  moert_weight_t describe(moe::WeightOp weight) {
    auto type = cast<RankedTensorType>(weight.getType());
    uint32_t encoding = MOERT_ENCODING_DENSE;
    SmallVector<int64_t> shape(type.getShape());
    if (!weight.getExpression().empty()) {
      auto yield = cast<moe::YieldOp>(weight.getExpression().front().getTerminator());
      if (auto pack = yield.getValue().getDefiningOp<moe::PackPanelsOp>()) {
        encoding = MOERT_ENCODING_PANELS_16;
        shape = SmallVector<int64_t>(cast<RankedTensorType>(pack.getW().getType()).getShape());
        // Gate and linear panels are filled up one by one.
        if (pack.getLinear())
          shape[1] = type.getDimSize(1) * type.getDimSize(3);
      }
    }
    return {pools.string(weight.getSymName()), elementType(type.getElementType()), encoding, pools.dims(shape),
            static_cast<uint32_t>(shape.size()), 0, weight.getByteCount()};
  }

  void writeKernels() {
    SmallVector<moert_kernel_t> records;
    for (step::KernelOp kernel : kernels) {
      uint32_t buffers = 0, scalars = 0;
      auto count = [&](Type type) {
        auto tensor = dyn_cast<RankedTensorType>(type);
        buffers += tensor ? 1 : 0;
        scalars += tensor ? tensor.getNumDynamicDims() : 1;
      };
      llvm::for_each(kernel.getArgumentTypes(), count);
      llvm::for_each(kernel.getYieldedTypes(), count);
      records.push_back({pools.string(kernel.getSymName()), buffers, scalars});
    }
    writeRecords(MOERT_SECTION_KERNELS, ArrayRef(records));
  }

  void writeTaskReads() {
    SmallVector<moert_task_reads_t> records;
    for (auto [index, kernel] : llvm::enumerate(kernels))
      kernel.walk([&](step::KernelOpInterface op) {
        for (const step::TaskReads &reads : op.getTaskReads()) {
          std::optional<uint32_t> buffer = bufferOf(kernel, reads.operand->get());
          std::optional<uint32_t> offsets =
              reads.offsets ? bufferOf(kernel, reads.offsets->get()) : std::optional(MOERT_NO_BUFFER);
          if (buffer && offsets)
            records.push_back({uint32_t(index), *buffer, *offsets, uint32_t(reads.experts), uint32_t(reads.blocks),
                               uint32_t(reads.rowsPerSlot), uint64_t(reads.expertBytes), uint64_t(reads.blockBytes),
                               uint64_t(reads.first), uint64_t(reads.end)});
        }
      });
    writeRecords(MOERT_SECTION_READS, ArrayRef(records));
  }

  /// Which buffer of the kernel `value` is, if it is one of its arguments.
  static std::optional<uint32_t> bufferOf(step::KernelOp kernel, Value value) {
    uint32_t buffer = 0;
    for (BlockArgument argument : kernel.getBodyBlock()->getArguments()) {
      if (argument == value)
        return buffer;
      buffer += isa<RankedTensorType>(argument.getType());
    }
    return std::nullopt;
  }

  void writeSignature() {
    auto function = module.lookupSymbol<func::FuncOp>(program.getEntry());
    SmallVector<moert_tensor_t> records;
    for (auto [index, type] : llvm::enumerate(function.getArgumentTypes()))
      records.push_back(describe(type, function.getArgAttrDict(index), false, index));
    for (auto [index, type] : llvm::enumerate(function.getResultTypes()))
      records.push_back(describe(type, function.getResultAttrDict(index), true, index));
    writeRecords(MOERT_SECTION_SIGNATURE, ArrayRef(records));
  }

  moert_tensor_t describe(Type type, DictionaryAttr attrs, bool isOutput, size_t index) {
    auto tensor = cast<RankedTensorType>(type);
    std::string name = (isOutput ? "output_" : "input_") + std::to_string(index);
    if (auto given = attrs ? attrs.getAs<StringAttr>("onnx.name") : StringAttr())
      name = given.str();
    uint32_t element = elementType(tensor.getElementType());
    if (auto given = attrs ? attrs.getAs<IntegerAttr>("onnx.elem_type") : IntegerAttr())
      element = given.getInt();
    auto names = attrs ? attrs.getAs<ArrayAttr>("onnx.dims") : ArrayAttr();
    SmallVector<int64_t> shape;
    for (auto [axis, extent] : llvm::enumerate(tensor.getShape())) {
      StringRef symbol = names && axis < names.size() ? cast<StringAttr>(names[axis]).getValue() : "";
      shape.push_back(ShapedType::isDynamic(extent) ? -1 - pools.symbol(symbol) : extent);
    }
    return {pools.string(name), element, isOutput, pools.dims(shape), static_cast<uint32_t>(shape.size())};
  }

  void writeLayers() {
    SmallVector<moert_layer_t> layers;
    SmallVector<moert_expert_range_t> ranges;
    if (auto described = module->getAttrOfType<ArrayAttr>("moe.layers")) {
      for (auto layer : described.getAsRange<DictionaryAttr>()) {
        auto text = [&](StringRef key) { return pools.string(layer.getAs<StringAttr>(key).getValue()); };
        auto number = [&](StringRef key) { return uint32_t(layer.getAs<IntegerAttr>(key).getInt()); };
        uint32_t first = ranges.size();
        for (Attribute symbol : layer.getAs<ArrayAttr>("weights"))
          addExpertRanges(symbol, number("experts"), ranges);
        layers.push_back({text("name"), text("form"), text("router"), number("experts"), number("selected"), first,
                          static_cast<uint32_t>(ranges.size() - first)});
      }
    }
    writeRecords(MOERT_SECTION_LAYERS, ArrayRef(layers));
    writeRecords(MOERT_SECTION_EXPERTS, ArrayRef(ranges));
  }

  /// The leading extent of an expert weight is the expert.
  void addExpertRanges(Attribute symbol, uint32_t experts, SmallVectorImpl<moert_expert_range_t> &ranges) {
    auto known = weightIndex.find(symbol);
    if (known == weightIndex.end() || experts == 0)
      return;
    const moert_weight_t &weight = weights[known->second];
    uint64_t size = weight.size / experts;
    for (uint32_t expert = 0; expert < experts; ++expert)
      ranges.push_back({static_cast<uint32_t>(known->second), expert, weight.offset + expert * size, size});
  }

  void writeStates() {
    SmallVector<moert_state_t> records;
    if (auto states = module->getAttrOfType<ArrayAttr>("moe.states"))
      for (auto state : states.getAsRange<DictionaryAttr>()) {
        auto number = [&](StringRef key) { return uint32_t(state.getAs<IntegerAttr>(key).getInt()); };
        uint32_t axis = state.contains("axis") ? number("axis") : MOERT_STATE_REPLACED;
        records.push_back({number("input"), number("output"), axis, state.contains("in_place")});
      }
    writeRecords(MOERT_SECTION_STATES, ArrayRef(records));
  }

  void writeTokenizer() {
    SectionStream stream(file, MOERT_SECTION_TOKENIZER);
    moert_tokenizer_t record = {options.byteTokenizer ? MOERT_TOKENIZER_BYTE : MOERT_TOKENIZER_NONE,
                                options.bos.has_value(), options.bos.value_or(0),
                                static_cast<uint32_t>(options.stops.size()), 0};
    writeArray(stream, ArrayRef(record));
    writeArray(stream, ArrayRef<int64_t>(options.stops));
    sections.push_back(stream.finish());
  }

  void writeInfo() {
    SmallVector<moert_info_t> records;
    for (auto &[key, value] : options.info)
      records.push_back({pools.string(key), pools.string(value)});
    writeRecords(MOERT_SECTION_INFO, ArrayRef(records));
  }

  LogicalResult writeCode(const CpuVariant &variant, const CodeImage &image) {
    SectionStream stream(file, MOERT_SECTION_CODE);
    SmallVector<uint64_t> entries;
    for (step::KernelOp kernel : kernels) {
      auto entry = image.entries.find(kernel.getSymName());
      if (entry == image.entries.end())
        return kernel.emitOpError("has no code for ") << variant.name;
      entries.push_back(entry->second);
    }
    uint64_t start = llvm::alignTo(sizeof(moert_code_t) + entries.size() * sizeof(uint64_t), 4096);
    moert_code_t record = {pools.string(variant.name), variant.architecture, static_cast<uint32_t>(entries.size()),
                           variant.features, start, image.bytes.size()};
    writeArray(stream, ArrayRef(record));
    writeArray(stream, ArrayRef(entries));
    stream.align(4096);
    stream.write(image.bytes.data(), image.bytes.size());
    sections.push_back(stream.finish());
    return success();
  }

  LogicalResult writeGpuCode(const GpuImage &image) {
    SmallVector<moert_gpu_entry_t> entries;
    for (step::KernelOp kernel : kernels) {
      auto found = image.entries.find(kernel.getSymName());
      if (found == image.entries.end())
        return kernel.emitOpError("has no code for ") << image.variant;
      const GpuEntry &entry = found->second;
      entries.push_back({pools.string(entry.name), entry.threads, entry.sharedBytes, entry.flags, entry.registers,
                         entry.spillBytes, 0});
    }
    uint64_t ptxOffset = sizeof(moert_gpu_code_t) + entries.size() * sizeof(moert_gpu_entry_t) +
                         image.cubins.size() * sizeof(moert_gpu_image_t);
    uint64_t end = ptxOffset + image.ptx.size() + 1;
    SmallVector<moert_gpu_image_t> cubins;
    for (const GpuCubin &cubin : image.cubins) {
      cubins.push_back({cubin.computeCapability, 0, llvm::alignTo(end, cubinAlignment), cubin.bytes.size()});
      end = cubins.back().offset + cubin.bytes.size();
    }
    SectionStream stream(file, MOERT_SECTION_GPU_CODE);
    moert_gpu_code_t record = {pools.string(image.variant), image.computeCapability,
                               static_cast<uint32_t>(entries.size()), static_cast<uint32_t>(cubins.size()), 0,
                               ptxOffset, image.ptx.size() + 1};
    writeArray(stream, ArrayRef(record));
    writeArray(stream, ArrayRef(entries));
    writeArray(stream, ArrayRef(cubins));
    stream << image.ptx << '\0';
    for (const GpuCubin &cubin : image.cubins) {
      stream.align(cubinAlignment);
      stream.write(cubin.bytes.data(), cubin.bytes.size());
    }
    sections.push_back(stream.finish());
    return success();
  }

  void writeHeader() {
    moert_file_header_t header = {};
    memcpy(header.magic, MOERT_MAGIC, sizeof(header.magic));
    header.format_version = MOERT_FORMAT_VERSION;
    header.minimum_reader_version = MOERT_READER_VERSION;
    header.file_size = file.tell();
    header.section_count = sections.size();
    size_t tableSize = sections.size() * sizeof(moert_section_t);
    if (options.signingKey)
      seal(header);
    crypto_generichash(header.table_hash, sizeof(header.table_hash),
                       reinterpret_cast<const unsigned char *>(sections.data()), tableSize, nullptr, 0);
    file.pwrite(reinterpret_cast<const char *>(&header), sizeof(header), 0);
    file.pwrite(reinterpret_cast<const char *>(sections.data()), tableSize, sizeof(header));
  }

  /// Fills the section of the seal, the last one. `header` has no hash of the table yet.
  void seal(const moert_file_header_t &header) {
    moert_section_t &entry = sections.back();
    memset(entry.hash, 0, sizeof(entry.hash));
    SmallVector<uint8_t> message;
    auto append = [&](const void *data, size_t size) {
      auto *bytes = static_cast<const uint8_t *>(data);
      message.append(bytes, bytes + size);
    };
    append(&header, sizeof(header));
    append(sections.data(), sections.size() * sizeof(moert_section_t));
    moert_seal_t seal;
    llvm::copy(options.signingKey->getPublicKey(), seal.public_key);
    llvm::copy(options.signingKey->sign(message), seal.signature);
    crypto_generichash(entry.hash, sizeof(entry.hash), reinterpret_cast<const unsigned char *>(&seal), sizeof(seal),
                       nullptr, 0);
    file.pwrite(reinterpret_cast<const char *>(&seal), sizeof(seal), entry.offset);
  }

  ModuleOp module;
  ArrayRef<const CpuVariant *> variants;
  ArrayRef<CodeImage> images;
  ArrayRef<GpuImage> gpuImages;
  const ArtifactOptions &options;
  WeightWriter writeWeight;
  llvm::raw_pwrite_stream &file;
  step::ProgramOp program;
  SmallVector<step::KernelOp> kernels;
  Pools pools;
  SmallVector<moert_section_t> sections;
  SmallVector<moert_weight_t> weights;
  DenseMap<Attribute, size_t> weightIndex;
};

} // namespace

LogicalResult moec::writeArtifact(ModuleOp module, ArrayRef<const CpuVariant *> variants, ArrayRef<CodeImage> images,
                                  ArrayRef<GpuImage> gpuImages, const ArtifactOptions &options,
                                  WeightWriter writeWeight, llvm::raw_pwrite_stream &file) {
  if (sodium_init() < 0)
    return module.emitError("the hash library cannot be initialised");
  return ArtifactWriter(module, variants, images, gpuImages, options, writeWeight, file).run();
}
