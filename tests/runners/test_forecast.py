"""The arithmetic of an estimate, by cases worked out by hand."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest

from corridor_cli.pipeline.summing import MAX_BYTES, caption_line, chunked
from corridor_cli.records import VideoInfo
from corridor_cli.runners.amounts import Amount, effective_number, relative_deviation, through, total
from corridor_cli.runners.caption_trial import stretch_deviation
from corridor_cli.runners.estimate_material import video_facts
from corridor_cli.runners.forecast import Machine, StartUp, forecast_disk, forecast_run, full_batch_cost
from corridor_cli.runners.forecast_decoding import forecast_decoding, makespan
from corridor_cli.runners.forecast_scenes import cut_rate, forecast_scenes, rates_by_length, with_splits
from corridor_cli.runners.forecast_summaries import SummaryCost, forecast_summaries, num_requests
from corridor_cli.runners.looks import Kind, Look, VideoFacts, kind_of, length_class
from corridor_cli.runners.sample_choice import choose_sample, choose_second_looks
from corridor_cli.runners.sampling import steady_speed
from corridor_cli.settings import DecodeSettings

H264 = Kind("h264", "720p")
PIXELS = 1280 * 720
ALONE = Machine(num_cpus=2, num_workers=1)
AT_ONCE = StartUp()


def video(frames: float = 250, kind: Kind = H264, pixels: int = PIXELS) -> VideoFacts:
    """A video of 25 frames a second."""
    return VideoFacts(kind, pixels, frames, frames / 25)


def look(number: int, frames: int, seconds: float, *, is_whole: bool = True, **counts: int) -> Look:
    """A look at 25 frames a second that took so many seconds; one scene and two captions unless told."""
    told = {"num_scenes": 1, "num_cuts": 0, "num_asked": 2} | counts
    return Look(
        number,
        frames,
        frames / 25,
        is_whole=is_whole,
        scan_seconds=seconds,
        seconds_per_frame=seconds / frames,
        **told,
    )


# --- amounts ---


def test_errors_add_up_as_those_of_independent_quantities_do() -> None:
    assert Amount(10, 3) + Amount(20, 4) == Amount(30, 5)
    assert total([Amount(10, 3), Amount(20, 4), Amount(1)]) == Amount(31, 5)
    # 10 % of one factor and 10 % of the other: √2 · 10 % of the product.
    product = Amount(10, 1) * Amount(20, 2)
    assert product.expected == 200
    assert product.deviation == pytest.approx(20 * math.sqrt(2))
    assert (Amount(10, 3).low, Amount(10, 3).high, Amount(10, 6).low) == (4, 16, 0)


def test_an_error_counts_as_far_as_it_moves_the_result() -> None:
    found = through(max, Amount(10, 1), Amount(5, 2))
    assert found == Amount(10, 1), "the smaller of the two is hidden by the larger one"


def test_how_far_values_lie_apart() -> None:
    assert relative_deviation([1.0], [1.0]) is None
    assert relative_deviation([1.0, 3.0], [1.0, 1.0]) == pytest.approx(math.sqrt(2) / 2)
    assert effective_number([1.0, 1.0, 1.0]) == pytest.approx(3)
    assert effective_number([1000.0, 1.0]) == pytest.approx(1, abs=0.01)


# --- decoding ---


def test_what_was_measured_counts_as_it_is_and_the_rest_goes_on_like_it() -> None:
    videos = [video(250), video(1000), video(500)]
    looks = [look(0, 250, 1.0), look(1, 100, 0.4, is_whole=False)]
    found = forecast_decoding(videos, looks)
    assert found is not None
    # 4 ms a frame in both: 1 s as measured, 0.4 + 900 · 4 ms, 500 · 4 ms of the one nobody looked into.
    assert found.of_each == pytest.approx((1.0, 4.0, 2.0))
    assert found.all.expected == pytest.approx(7.0)
    assert found.speeds[H264].seconds_per_frame == pytest.approx(0.004)


def test_a_kind_nobody_looked_into_is_guessed_by_pixels() -> None:
    small = Kind("h264", "360p")
    found = forecast_decoding([video(100), video(100, small, PIXELS // 4)], [look(0, 100, 1.0)])
    assert found is not None
    assert found.of_each == pytest.approx((1.0, 0.25))
    assert found.speeds[small].num_looks == 0
    assert found.all.deviation > 0.25 * 0.25, "a guess is unsure"


def test_ranges_are_as_wide_as_the_sample_lies_apart() -> None:
    videos = [video(100) for _ in range(10)]
    alike = forecast_decoding(videos, [look(0, 100, 1.0), look(1, 100, 1.0)])
    apart = forecast_decoding(videos, [look(0, 100, 0.5), look(1, 100, 1.5)])
    assert alike is not None
    assert apart is not None
    assert alike.all.expected == apart.all.expected == pytest.approx(10.0)
    # Nothing but the least that repeated runs differ by, or what other work makes of it.
    assert alike.all.deviation == pytest.approx(0.5)
    busy = forecast_decoding(videos, [look(0, 100, 1.0), look(1, 100, 1.0)], other_work=0.6)
    assert busy is not None
    assert busy.all.deviation == pytest.approx(3.0)
    # A spread of √½ over 8 unseen seconds: of the mean of two, 8 · √½ / √2 = 4, and of each video √8 · √½.
    assert apart.all.deviation == pytest.approx(math.hypot(4.0, 2.0))


def test_a_known_scan_costs_what_its_picks_take() -> None:
    known = Look(0, 250, 10.0, 4, 3, 12, num_to_fetch=12)
    found = forecast_decoding([video(250)], [known], seconds_per_fetch=0.1)
    assert found is not None
    assert found.of_each == pytest.approx((1.2,))


def test_nothing_is_said_of_decoding_that_nobody_saw() -> None:
    assert forecast_decoding([video()], []) is None
    nothing = Look(0, 0, 0.0, 0, 0, 0, scan_seconds=0.1)
    assert forecast_decoding([video(), video()], [nothing]) is None


def test_workers_take_videos_in_turn() -> None:
    assert makespan([4, 1, 1, 1, 1], 2) == 4
    assert makespan([1, 1, 1, 1, 4], 2) == 6, "a long one at the end keeps a single worker busy"
    assert makespan([3, 2], 1) == 5


def test_a_speed_is_what_it_is_once_it_runs() -> None:
    # A second goes by until the first mark; then 100 frames a second, and 50 in the other half.
    marks = [(1.0, 0), (2.0, 100), (3.0, 150)]
    steady, drift = steady_speed(marks)
    assert steady == pytest.approx(2 / 150)
    assert drift == pytest.approx((0.02 - 0.01) / math.sqrt(2) / (2 / 150))
    assert steady_speed(marks[:1]) == (None, None)
    assert steady_speed([(1.0, 5), (1.2, 9)]) == (None, None)


# --- scenes ---


def test_scenes_of_whole_looks_are_counted_and_others_come_by_the_rate() -> None:
    videos = [video(2500), video(2500), video(5000)]
    looks = [
        look(0, 2500, 1.0, num_scenes=11, num_cuts=10, num_asked=22),
        look(1, 2500, 1.0, num_scenes=11, num_cuts=10, num_asked=22),
    ]
    found = forecast_scenes(videos, looks, None)
    assert found is not None
    # A cut every ten seconds: 20 in the third, which has 21 scenes then, of two captions each.
    assert found.scenes.expected == pytest.approx(43)
    assert found.captions.expected == pytest.approx(86)
    assert 0 < found.scenes.deviation < 10


def test_a_beginning_counts_more_the_longer_it_is() -> None:
    quick = look(0, 1000, 1.0, num_scenes=41, num_cuts=40)
    videos = [video(1000), video(100_000)]
    shortly = forecast_scenes(videos, [quick, look(1, 100, 1.0, is_whole=False)], None)
    longer = forecast_scenes(videos, [quick, look(1, 50_000, 1.0, is_whole=False)], None)
    assert shortly is not None
    assert longer is not None
    assert 42 <= longer.scenes.expected < 60 < shortly.scenes.expected


def test_short_videos_are_cut_as_short_ones_are() -> None:
    short, long = video(250), video(250_000)
    looks = [
        look(0, 250, 1.0, num_scenes=11, num_cuts=10),
        look(1, 250, 1.0, num_scenes=11, num_cuts=10),
        look(2, 250_000, 1.0, num_scenes=101, num_cuts=100),
    ]
    rates = rates_by_length([short, short, long, short], looks)
    # A cut a second in one class, one in a hundred seconds in the other; all material has about the latter.
    quick, slow = (rates[length_class(each)].rate.expected for each in (short, long))
    assert slow == pytest.approx(0.01, rel=0.1)
    assert quick > 0.5


def test_no_cut_is_no_proof_that_there_are_none() -> None:
    rate = cut_rate([look(0, 250, 1.0)]).rate
    assert rate.expected == pytest.approx(0.05), "half a cut in ten seconds"
    assert rate.high > 0.1


def test_long_scenes_are_split() -> None:
    assert with_splits(1.0, 50.0, 60.0) == 1.0
    assert with_splits(1.0, 363.0, 60.0) == 7.0
    assert with_splits(3.0, 363.0, None) == 3.0
    # Three of 121 s on average: as chance makes them, 1 / (1 - e^(-60/121)) parts each.
    assert with_splits(3.0, 363.0, 60.0) == pytest.approx(3 / (1 - math.exp(-60 / 121)))
    assert with_splits(100.0, 363.0, 60.0) == pytest.approx(100.0, abs=0.1)


def test_nothing_is_said_of_scenes_without_a_look() -> None:
    assert forecast_scenes([video()], [], 60.0) is None


# --- the whole run ---


def test_the_longer_of_the_two_and_the_start_make_the_time() -> None:
    start = StartUp(program_seconds=1, worker_seconds=2, model_seconds=10, last_captions_seconds=3)
    slow_model = forecast_run(Amount(20), 20, Amount(100), ALONE, start)
    assert (slow_model.seconds.expected, slow_model.bottleneck) == (1 + 10 + 100, "captioning")
    slow_decoder = forecast_run(Amount(200), 200, Amount(100), ALONE, start)
    assert (slow_decoder.seconds.expected, slow_decoder.bottleneck) == (1 + 2 + 200 + 3, "decoding")


def test_captioning_is_divided_among_devices_and_decoding_is_not() -> None:
    one = forecast_run(Amount(30), 30, Amount(100), ALONE, AT_ONCE)
    assert one.num_devices_until_decoding == 4
    three = forecast_run(Amount(30), 30, Amount(100), ALONE, AT_ONCE, num_devices=3)
    assert three.seconds.expected == pytest.approx(100 / 3)
    assert three.bottleneck == "captioning"
    four = forecast_run(Amount(30), 30, Amount(100), ALONE, AT_ONCE, num_devices=4)
    assert (four.seconds.expected, four.bottleneck) == (30, "decoding")


def test_a_model_on_all_processors_shares_them_with_decoding() -> None:
    machine = Machine(num_cpus=2, num_workers=1, model_threads=2)
    found = forecast_run(Amount(40), 40, Amount(100), machine, AT_ONCE)
    # 40 s of one processor and 200 s of two: 240 on two.
    assert found.seconds.expected == pytest.approx(120)
    assert found.is_sharing
    assert found.num_devices_until_decoding is None
    on_one = forecast_run(Amount(40), 40, Amount(100), Machine(2, 1, model_threads=1), AT_ONCE)
    assert (on_one.seconds.expected, on_one.is_sharing) == (100, False)


def test_without_a_model_only_decoding_is_told() -> None:
    found = forecast_run(Amount(40, 1), 40, None, ALONE, StartUp(1, 2, 9))
    assert (found.seconds, found.captioning, found.bottleneck) == (Amount(43, 1), None, None)


def test_a_full_batch_is_reckoned_from_a_few_captions() -> None:
    # Two captions of 10 and 20 tokens: 20 steps in 2 s, 4 s for tiles and prompts. In a batch of 10 one costs
    # 2 s and 15 tokens of a tenth of 0.1 s.
    assert full_batch_cost(4.0, 2.0, [10, 20], 10) == pytest.approx(2.15)
    assert full_batch_cost(4.0, 0.0, [0, 0], 10) == pytest.approx(2.0)


def test_stretches_are_of_whole_batches() -> None:
    alike = [float(1 + n // 4) for n in range(32)]  # a batch of four each second
    assert stretch_deviation(alike, 4) == pytest.approx(0.0)
    assert stretch_deviation([1.0], 1) == pytest.approx(0.3), "a single answer says nothing"
    assert stretch_deviation([1.0, 4.0], 1) == pytest.approx(math.sqrt(2) / 2 / math.sqrt(2))


def test_disk_is_offset_and_slope_for_timelines_and_capped_for_pictures() -> None:
    looks = [
        Look(0, 10, 1.0, 1, 0, 2, scan_seconds=1.0, picture_bytes=300, document_bytes=3_000),
        Look(1, 10, 1.0, 3, 2, 6, scan_seconds=1.0, picture_bytes=900, document_bytes=5_000),
    ]
    found = forecast_disk(looks, 10, Amount(100), 50_000, is_saving=True)
    assert found is not None
    # 2,000 a document and 1,000 a scene; 300 a scene in pictures.
    assert found.timeline_bytes.expected == pytest.approx(10 * 2_000 + 100 * 1_000)
    assert found.picture_bytes.expected == pytest.approx(30_000)
    assert not found.is_capped
    capped = forecast_disk(looks, 10, Amount(100), 20_000, is_saving=True)
    assert capped is not None
    assert (capped.picture_bytes, capped.is_capped) == (Amount(20_000), True)
    without = forecast_disk(looks, 10, Amount(100), 20_000, is_saving=False)
    assert without is not None
    assert without.picture_bytes == Amount(0)


# --- which videos, and what is known of them ---


def test_the_sample_takes_kinds_and_lengths_in_turn() -> None:
    small = Kind("vp9", "360p")
    videos = [video(100) for _ in range(5)] + [video(50_000) for _ in range(2)] + [video(100, small)]
    chosen = choose_sample(videos, 3)
    assert {videos[number].kind for number in chosen} == {H264, small}
    assert videos[chosen[0]].frames == 50_000, "what makes most work comes first"
    assert sorted(choose_sample(videos)) == list(range(8))
    assert choose_sample([]) == []


def test_second_looks_go_to_what_makes_most_work() -> None:
    assert choose_second_looks({}, 20.0) == ([], 20.0)
    assert choose_second_looks({1: 9.0, 2: 100.0, 3: 50.0}, 12.0) == ([2, 3], 6.0)
    # 3 s are enough for one of them; the other may have the rest.
    assert choose_second_looks({1: 3.0, 2: 100.0}, 12.0) == ([2, 1], 9.0)
    assert choose_second_looks({1: 30.0}, 4.0)[0] == []


def test_a_kind_is_a_codec_and_the_nearest_usual_size() -> None:
    assert kind_of("h264", 1920, 800) == Kind("h264", "1080p")
    assert kind_of("h264", 1080, 1920) == Kind("h264", "1080p")
    assert kind_of("vp8", 8, 8) == Kind("vp8", "120p")


def info(seconds: int | None, frames: int | None) -> VideoInfo:
    length = None if seconds is None else Fraction(seconds)
    return VideoInfo("mp4", "h264", "yuv420p", None, 1280, 720, 0, None, Fraction(25), length, frames, 0, 1)


def test_lengths_a_header_does_not_tell_come_from_the_size_of_the_file() -> None:
    told, untold, counted = video_facts(
        [(1000, info(10, None)), (3000, info(None, None)), (7, info(None, 50))], DecodeSettings()
    )
    assert (told.seconds, told.frames) == (10, 250)
    # The first and the third have 1,007 bytes in 12 s.
    assert untold.seconds == pytest.approx(3000 / (1007 / 12))
    assert (counted.seconds, counted.frames) == (2, 50)


def test_lengths_end_at_the_limits_of_a_scan() -> None:
    (limited,) = video_facts([(1000, info(100, None))], DecodeSettings(max_duration_seconds=10))
    assert (limited.seconds, limited.frames) == (10, 250)
    (limited,) = video_facts([(1000, info(100, None))], DecodeSettings(max_frames=50))
    assert (limited.seconds, limited.frames) == (2, 50)


@pytest.mark.parametrize("num_scenes", [0, 1, 40, 200, 3000])
@pytest.mark.parametrize("num_characters", [60, 900, 5000])
def test_a_summary_is_counted_in_the_requests_it_is_made_of(num_scenes: int, num_characters: int) -> None:
    part = "p" * 300
    lines = [caption_line(Fraction(number), "x" * num_characters) for number in range(num_scenes)]
    num_asked = 0
    while lines:
        chunks = chunked(lines, MAX_BYTES)
        num_asked += len(chunks)
        if len(chunks) == 1:
            break
        lines = [part] * len(chunks)
    assert num_requests(num_scenes, num_characters, len(part), MAX_BYTES) == num_asked


def test_videos_that_were_not_seen_have_summaries_like_the_others() -> None:
    cost = SummaryCost(Amount(2.0), Amount(100.0), 300.0, 2.0, MAX_BYTES)
    seen = [look(0, 1500, 1.0, num_scenes=10)]
    found = forecast_summaries(4, seen, Amount(10 + 3 * 500, 300.0), 100.0, cost)
    each = num_requests(500, 100.0, 300.0, MAX_BYTES)
    assert each > 1
    assert found.requests.expected == 1 + 3 * each
    assert found.requests.deviation > 0, "how many scenes there are is not known"
    assert found.seconds.expected == 2 * found.requests.expected
    assert found.tokens.expected == 100 * found.requests.expected
