// SmolLM2-135M-Instruct, imported from GGUF, on LibTorch: the probabilities are llama.cpp's.
#include "smollm2_golden.h"
#include "train/decoder_module.h"
#include "train/model_weights.h"

namespace retort::interop {
namespace {

TEST_F(Smollm2, LibTorchsProbabilitiesAreLlamaCpps) {
  torch::NoGradGuard no_grad;
  const model::ModelFolder model(folder_);
  const std::unique_ptr<train::DecoderModule> decoder = train::load_decoder(model);
  double greatest = 0;
  const std::vector<GoldenCase> cases = golden_cases();
  ASSERT_EQ(cases.size(), 20U);
  for (const GoldenCase& golden : cases) {
    const std::vector<std::int64_t> ids(golden.ids.begin(), golden.ids.end());
    const torch::Tensor row = decoder->hidden(torch::tensor(ids).unsqueeze(0)).squeeze(0).slice(0, -1);
    const torch::Tensor logits = decoder->logits(row).contiguous();
    const double apart = difference({logits.data_ptr<float>(), static_cast<std::size_t>(logits.numel())}, golden.top);
    EXPECT_LT(apart, log_probability_tolerance) << golden.prompt;
    greatest = std::max(greatest, apart);
  }
  RecordProperty("greatest_log_probability_difference", std::to_string(greatest));
  std::cout << "greatest difference of a log probability " << greatest << "\n";
}

}  // namespace
}  // namespace retort::interop
