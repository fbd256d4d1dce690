// SmolLM2-135M-Instruct and Gemma 3 270M, imported from GGUF, on LibTorch: the probabilities are llama.cpp's.
#include "smollm2_golden.h"
#include "train/decoder_module.h"
#include "train/model_weights.h"

namespace retort::interop {
namespace {

void expect_llama_cpps_numbers(const std::filesystem::path& folder, const std::vector<GoldenCase>& cases,
                               double tolerance) {
  torch::NoGradGuard no_grad;
  const model::ModelFolder model(folder);
  const std::unique_ptr<train::DecoderModule> decoder = train::load_decoder(model);
  double greatest = 0;
  ASSERT_EQ(cases.size(), 20U);
  for (const GoldenCase& golden : cases) {
    const std::vector<std::int64_t> ids(golden.ids.begin(), golden.ids.end());
    const torch::Tensor row = decoder->hidden(torch::tensor(ids).unsqueeze(0)).squeeze(0).slice(0, -1);
    const torch::Tensor logits = decoder->logits(row).contiguous();
    const double apart = difference({logits.data_ptr<float>(), static_cast<std::size_t>(logits.numel())}, golden.top);
    EXPECT_LT(apart, tolerance) << golden.prompt;
    greatest = std::max(greatest, apart);
  }
  std::cout << "greatest difference of a log probability " << greatest << "\n";
}

TEST_F(Smollm2, LibTorchsProbabilitiesAreLlamaCpps) {
  expect_llama_cpps_numbers(folder_, golden_cases(), log_probability_tolerance);
}

TEST_F(Gemma3, LibTorchsProbabilitiesAreLlamaCpps) {
  expect_llama_cpps_numbers(folder_, golden_cases("gemma3"), gemma_tolerance);
}

}  // namespace
}  // namespace retort::interop
