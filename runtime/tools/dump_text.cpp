// The description of a file for people.
#include "artifact/hash.h"
#include "artifact/seal.h"
#include "devices/cpu/cpu_features.h"
#include "dump.h"
#include "element_type.h"

#include <cstdarg>
#include <cstdio>

namespace moert::tools {

std::string formatType(const Artifact &artifact, const TensorType &type) {
  std::string text = std::string(elementName(type.elementType)) + "[";
  for (size_t i = 0; i < type.dims.size(); ++i) {
    const int64_t dim = type.dims[i];
    text += (i ? " x " : "") + (dim >= 0 ? std::to_string(dim) : artifact.symbols[static_cast<size_t>(-(dim + 1))]);
  }
  return text + "]";
}

const char *formatEncoding(uint32_t encoding) {
  return encoding == MOERT_ENCODING_PANELS_16 ? "panels of 16" : "dense";
}

std::string formatArchitecture(uint32_t architecture) {
  switch (architecture) {
  case MOERT_ARCH_X86_64:
    return "x86-64";
  case MOERT_ARCH_AARCH64:
    return "aarch64";
  default:
    return "architecture " + std::to_string(architecture);
  }
}

namespace {

class TextDump {
public:
  explicit TextDump(const Artifact &artifact) : artifact(artifact) {}

  std::string dump() {
    dumpHeader();
    dumpSections();
    dumpSignature();
    dumpLayers();
    dumpWeights();
    dumpCode();
    return std::move(text);
  }

private:
  void title(const char *name) { (text += "\n") += std::string(name) + "\n"; }

  __attribute__((format(printf, 2, 3))) void line(const char *format, ...) {
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    const int size = std::vsnprintf(nullptr, 0, format, arguments);
    std::string piece(static_cast<size_t>(size), '\0');
    std::vsnprintf(piece.data(), piece.size() + 1, format, again);
    va_end(again);
    va_end(arguments);
    text += piece + "\n";
  }

  void dumpHeader();
  void dumpSections();
  void dumpSignature();
  void dumpLayers();
  void dumpWeights();
  void dumpCode();
  void dumpGpuCode(const GpuVariant &variant);

  const Artifact &artifact;
  std::string text;
};

void TextDump::dumpHeader() {
  const moert_file_header_t &header = artifact.container.header;
  line("format %u, needs reader %u, %llu bytes", header.format_version, header.minimum_reader_version,
       static_cast<unsigned long long>(header.file_size));
  for (const auto &[key, value] : artifact.info)
    line("  %-12s %s", key.c_str(), value.c_str());
  if (const moert_seal_t *seal = getSeal(artifact.container))
    line("  %-12s %s", "signed by", formatHash(seal->public_key).c_str());
}

void TextDump::dumpSections() {
  title("sections");
  for (const Section &section : artifact.container.sections)
    line("  %-20s offset %-12llu %12llu bytes  %s", sectionName(section.entry.type).c_str(),
         static_cast<unsigned long long>(section.entry.offset), static_cast<unsigned long long>(section.entry.size),
         formatHash(section.entry.hash).c_str());
}

void TextDump::dumpSignature() {
  title("signature");
  for (const TensorType &input : artifact.inputs)
    line("  input  %-32s %s", input.name.c_str(), formatType(artifact, input).c_str());
  for (const TensorType &output : artifact.outputs)
    line("  output %-32s %s", output.name.c_str(), formatType(artifact, output).c_str());
  for (const moert_state_t &state : artifact.states)
    line("  state  %s -> %s, %s%s", artifact.outputs[state.output].name.c_str(),
         artifact.inputs[state.input].name.c_str(),
         state.axis == MOERT_STATE_REPLACED ? "replaced" : ("axis " + std::to_string(state.axis)).c_str(),
         state.in_place ? ", in place" : "");
  const Tokenizer &tokenizer = artifact.tokenizer;
  if (tokenizer.kind == MOERT_TOKENIZER_BYTE)
    line("  tokens are bytes%s, %zu stop tokens",
         tokenizer.hasBos ? (", token " + std::to_string(tokenizer.bos) + " opens a text").c_str() : "",
         tokenizer.stops.size());
}

void TextDump::dumpLayers() {
  title("MoE layers");
  for (const Layer &layer : artifact.layers) {
    uint64_t bytes = 0;
    for (const moert_expert_range_t &range : layer.ranges)
      bytes += range.size;
    line("  %s: %s, %u experts, %u selected, router: %s, %llu bytes of experts in %zu ranges", layer.name.c_str(),
         layer.form.c_str(), layer.experts, layer.selected, layer.router.c_str(),
         static_cast<unsigned long long>(bytes), layer.ranges.size());
  }
}

void TextDump::dumpWeights() {
  title("weights");
  for (const Weight &weight : artifact.weights)
    line("  %-40s %-24s %-12s offset %-12llu %12llu bytes", weight.name.c_str(), formatType(artifact, weight).c_str(),
         formatEncoding(weight.encoding), static_cast<unsigned long long>(weight.offset),
         static_cast<unsigned long long>(weight.size));
}

void TextDump::dumpGpuCode(const GpuVariant &variant) {
  title(("GPU variant " + variant.name).c_str());
  line("  compute capability %u.%u, %zu bytes of PTX", variant.computeCapability / 10, variant.computeCapability % 10,
       variant.ptx.size());
  for (const GpuImage &image : variant.images)
    line("  cubin for %u.%u, %zu bytes", image.computeCapability / 10, image.computeCapability % 10,
         image.bytes.size());
  for (size_t i = 0; i < artifact.kernels.size(); ++i) {
    const GpuEntry &entry = variant.entries[i];
    const std::string measured = entry.registers ? std::to_string(entry.registers) + " registers, " +
                                                       std::to_string(entry.spillBytes) + " bytes spilled"
                                                 : "registers not known";
    line("  %-40s %4u threads, %6u bytes shared, %s%s", entry.name.c_str(), entry.threads, entry.sharedBytes,
         measured.c_str(), entry.isCooperative ? ", all blocks together" : "");
  }
}

void TextDump::dumpCode() {
  title("kernels");
  for (size_t i = 0; i < artifact.kernels.size(); ++i) {
    std::string entries;
    for (const CodeVariant &variant : artifact.variants)
      entries += "  " + variant.name + " +" + std::to_string(variant.entries[i]);
    const KernelDeclaration &kernel = artifact.kernels[i];
    line("  %-40s %2u buffers, %2u scalars%s", kernel.name.c_str(), kernel.bufferCount, kernel.scalarCount,
         entries.c_str());
  }
  title("code variants");
  for (const CodeVariant &variant : artifact.variants)
    line("  %-16s %s, %zu bytes, needs %s", variant.name.c_str(), formatArchitecture(variant.architecture).c_str(),
         variant.image.size(),
         variant.requiredFeatures ? formatCpuFeatures(variant.requiredFeatures).c_str() : "nothing beyond the base");
  for (const GpuVariant &variant : artifact.gpuVariants)
    dumpGpuCode(variant);
  line("\nstep program: %u registers, %u slots, %zu words", artifact.program.registerCount, artifact.program.slotCount,
       artifact.program.words.size());
}

} // namespace

std::string dumpText(const Artifact &artifact) { return TextDump(artifact).dump(); }

} // namespace moert::tools
