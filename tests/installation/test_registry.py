"""What is configured for pip reaches uv."""

from installation.registry import environment

LISTED = r"""
:env:.cert='/home/me/ca.pem'
global.index-url='https://mirror.example/simple'
global.timeout='10'
global.trusted-host='mirror.example other.example'
install.timeout='30'
install.extra-index-url='\nhttps://one.example/simple\nhttps://two.example/simple'
install.find-links='/a /b'
wheel.index-url='https://not-for-install.example/simple'
"""


def test_a_mirror_and_its_certificate_reach_uv() -> None:
    found = environment(LISTED, {})
    assert found["UV_DEFAULT_INDEX"] == "https://mirror.example/simple"
    assert found["UV_INDEX"] == "https://one.example/simple https://two.example/simple"
    assert found["UV_FIND_LINKS"] == "/a,/b"
    assert found["UV_INSECURE_HOST"] == "mirror.example other.example"
    assert found["SSL_CERT_FILE"] == "/home/me/ca.pem"


def test_a_setting_of_install_beats_one_of_global() -> None:
    assert environment(LISTED, {})["UV_HTTP_TIMEOUT"] == "30"


def test_the_environment_beats_a_file() -> None:
    listed = LISTED + ":env:.index-url='https://environment.example/simple'\n"
    assert environment(listed, {})["UV_DEFAULT_INDEX"] == "https://environment.example/simple"


def test_what_is_said_to_uv_itself_is_left() -> None:
    assert "UV_DEFAULT_INDEX" not in environment(LISTED, {"UV_DEFAULT_INDEX": "https://mine.example/simple"})


def test_the_certificates_that_pip_takes_from_the_environment_are_uvs_too() -> None:
    assert environment("", {"REQUESTS_CA_BUNDLE": "/ca.pem"})["SSL_CERT_FILE"] == "/ca.pem"


def test_without_any_configuration_the_system_decides_which_certificates_are_good() -> None:
    assert environment("", {}) == {"UV_SYSTEM_CERTS": "1", "UV_PYTHON_DOWNLOADS": "never"}


def test_a_proxy_of_pips_is_uvs() -> None:
    found = environment("global.proxy='http://proxy.example:3128'", {})
    assert found["HTTPS_PROXY"] == found["HTTP_PROXY"] == "http://proxy.example:3128"
