"""espeak-ng's voice codes as the `language` block of a Piper voice: `en-us` -> en_US, English, United States.

Home Assistant offers a voice by this block and can't select one without it. The region is the one whose Piper
voices speak with that espeak voice (`es-419` -> MX); a language without a land of its own has 001, the
world in UN M.49. Names: Unicode CLDR (native and English); family codes: ISO 639.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class VoiceLanguage:
    """A language as Piper's voice files name it."""

    family: str
    """ISO 639 code, as `en`."""
    region: str
    """ISO 3166 or UN M.49 code, as `US`."""
    name_native: str
    name_english: str
    country_english: str

    @property
    def code(self) -> str:
        """`en_US`: how a voice's file name starts."""
        return f"{self.family}_{self.region}"

    def to_dict(self) -> dict[str, str]:
        """The voice's JSON block."""
        return {
            "code": self.code,
            "family": self.family,
            "region": self.region,
            "name_native": self.name_native,
            "name_english": self.name_english,
            "country_english": self.country_english,
        }


_WORLD = "001"
_TABLE = """
ab|ab|GE|Аԥсшәа|Abkhazian|Georgia
af|af|ZA|Afrikaans|Afrikaans|South Africa
am|am|ET|አማርኛ|Amharic|Ethiopia
an|an|ES|aragonés|Aragonese|Spain
ar|ar|JO|العربية|Arabic|Jordan
as|as|IN|অসমীয়া|Assamese|India
az|az|AZ|azərbaycan|Azerbaijani|Azerbaijan
ba|ba|RU|башҡорт теле|Bashkir|Russia
be|be|BY|беларуская|Belarusian|Belarus
bg|bg|BG|български|Bulgarian|Bulgaria
bn|bn|BD|বাংলা|Bengali|Bangladesh
bpy|bpy|BD|বিষ্ণুপ্রিয়া মণিপুরী|Bishnupriya|Bangladesh
bs|bs|BA|bosanski|Bosnian|Bosnia and Herzegovina
ca|ca|ES|Català|Catalan|Spain
ca-ba|ca|ES|Català|Catalan|Spain
ca-nw|ca|ES|Català|Catalan|Spain
ca-va|ca|ES|Català|Catalan|Spain
chr|chr|US|ᏣᎳᎩ|Cherokee|United States
cmn|zh|CN|简体中文|Chinese|China
crh|crh|UA|qırımtatarca|Crimean Tatar|Ukraine
cs|cs|CZ|Čeština|Czech|Czech Republic
cv|cv|RU|чӑваш|Chuvash|Russia
cy|cy|GB|Cymraeg|Welsh|Great Britain
da|da|DK|Dansk|Danish|Denmark
de|de|DE|Deutsch|German|Germany
de-at|de|AT|Deutsch|German|Austria
de-ch|de|CH|Deutsch|German|Switzerland
el|el|GR|Ελληνικά|Greek|Greece
en|en|GB|English|English|Great Britain
en-029|en|029|English|English|Caribbean
en-gb|en|GB|English|English|Great Britain
en-shaw|en|GB|English|English|Great Britain
en-us|en|US|English|English|United States
eo|eo|001|Esperanto|Esperanto|World
es|es|ES|Español|Spanish|Spain
es-419|es|MX|Español|Spanish|Mexico
es-mx|es|MX|Español|Spanish|Mexico
et|et|EE|eesti|Estonian|Estonia
eu|eu|ES|euskara|Basque|Spain
fa|fa|IR|فارسی|Farsi|Iran
fi|fi|FI|Suomi|Finnish|Finland
fo|fo|FO|føroyskt|Faroese|Faroe Islands
fr|fr|FR|Français|French|France
fr-be|fr|BE|Français|French|Belgium
fr-ch|fr|CH|Français|French|Switzerland
ga|ga|IE|Gaeilge|Irish|Ireland
gd|gd|GB|Gàidhlig|Scottish Gaelic|Great Britain
gn|gn|PY|avañe’ẽ|Guarani|Paraguay
grc|grc|GR|Ἑλληνική|Ancient Greek|Greece
gu|gu|IN|ગુજરાતી|Gujarati|India
hak|hak|CN|客家話|Hakka Chinese|China
haw|haw|US|ʻŌlelo Hawaiʻi|Hawaiian|United States
hbs|sr|RS|srpskohrvatski|Serbo-Croatian|Serbia
he|he|IL|עברית|Hebrew|Israel
hi|hi|IN|हिन्दी|Hindi|India
hr|hr|HR|hrvatski|Croatian|Croatia
ht|ht|HT|kreyòl ayisyen|Haitian Creole|Haiti
hu|hu|HU|Magyar|Hungarian|Hungary
hy|hy|AM|հայերեն|Armenian|Armenia
hyw|hyw|AM|արեւմտահայերէն|Western Armenian|Armenia
ia|ia|001|interlingua|Interlingua|World
id|id|ID|Bahasa Indonesia|Indonesian|Indonesia
io|io|001|Ido|Ido|World
is|is|IS|íslenska|Icelandic|Iceland
it|it|IT|Italiano|Italian|Italy
ja|ja|JP|日本語|Japanese|Japan
jbo|jbo|001|la .lojban.|Lojban|World
ka|ka|GE|ქართული ენა|Georgian|Georgia
kaa|kaa|UZ|qaraqalpaqsha|Kara-Kalpak|Uzbekistan
kk|kk|KZ|қазақша|Kazakh|Kazakhstan
kl|kl|GL|kalaallisut|Kalaallisut|Greenland
kn|kn|IN|ಕನ್ನಡ|Kannada|India
ko|ko|KR|한국어|Korean|South Korea
kok|kok|IN|कोंकणी|Konkani|India
ku|ku|TR|kurdî|Kurdish|Turkey
ky|ky|KG|кыргызча|Kyrgyz|Kyrgyzstan
la|la|VA|Latina|Latin|Vatican City
lb|lb|LU|Lëtzebuergesch|Luxembourgish|Luxembourg
lfn|lfn|001|lingua franca nova|Lingua Franca Nova|World
lt|lt|LT|lietuvių|Lithuanian|Lithuania
ltg|ltg|LV|latgalīšu|Latgalian|Latvia
lv|lv|LV|Latviešu|Latvian|Latvia
mi|mi|NZ|Māori|Māori|New Zealand
mk|mk|MK|македонски|Macedonian|North Macedonia
ml|ml|IN|മലയാളം|Malayalam|India
mn|mn|MN|монгол|Mongolian|Mongolia
mr|mr|IN|मराठी|Marathi|India
ms|ms|MY|Bahasa Melayu|Malay|Malaysia
mt|mt|MT|Malti|Maltese|Malta
mto|mto|MX|ayöök|Totontepec Mixe|Mexico
my|my|MM|မြန်မာ|Burmese|Myanmar
nb|no|NO|Norsk|Norwegian|Norway
nci|nci|MX|nāhuatl|Classical Nahuatl|Mexico
ne|ne|NP|नेपाली|Nepali|Nepal
nl|nl|NL|Nederlands|Dutch|Netherlands
nl-be|nl|BE|Nederlands|Dutch|Belgium
no|no|NO|Norsk|Norwegian|Norway
nog|nog|RU|ногайша|Nogai|Russia
om|om|ET|Oromoo|Oromo|Ethiopia
or|or|IN|ଓଡ଼ିଆ|Odia|India
pa|pa|IN|ਪੰਜਾਬੀ|Punjabi|India
pap|pap|CW|Papiamentu|Papiamento|Curaçao
piqd|tlh|001|tlhIngan Hol|Klingon|World
pl|pl|PL|Polski|Polish|Poland
ps|ps|AF|پښتو|Pashto|Afghanistan
pt|pt|PT|Português|Portuguese|Portugal
pt-br|pt|BR|Português|Portuguese|Brazil
py|py|001|Pyash|Pyash|World
qdb|qdb|001|Lang Belta|Lang Belta|World
qu|qu|PE|Runasimi|Quechua|Peru
quc|quc|GT|Kʼicheʼ|Kʼicheʼ|Guatemala
qya|qya|001|Quenya|Quenya|World
ro|ro|RO|Română|Romanian|Romania
ru|ru|RU|Русский|Russian|Russia
ru-cl|ru|RU|Русский|Russian|Russia
ru-lv|ru|LV|Русский|Russian|Latvia
rup|rup|GR|armãneashti|Aromanian|Greece
sd|sd|PK|سنڌي|Sindhi|Pakistan
shn|shn|MM|လိၵ်ႈတႆး|Shan|Myanmar
si|si|LK|සිංහල|Sinhala|Sri Lanka
sjn|sjn|001|Sindarin|Sindarin|World
sk|sk|SK|Slovenčina|Slovak|Slovakia
sl|sl|SI|Slovenščina|Slovenian|Slovenia
smj|smj|SE|julevsámegiella|Lule Sami|Sweden
sq|sq|AL|Shqip|Albanian|Albania
sr|sr|RS|srpski|Serbian|Serbia
sv|sv|SE|Svenska|Swedish|Sweden
sw|sw|CD|Kiswahili|Swahili|Democratic Republic of the Congo
ta|ta|IN|தமிழ்|Tamil|India
te|te|IN|తెలుగు|Telugu|India
th|th|TH|ไทย|Thai|Thailand
ti|ti|ER|ትግርኛ|Tigrinya|Eritrea
tk|tk|TM|türkmençe|Turkmen|Turkmenistan
tn|tn|BW|Setswana|Tswana|Botswana
tr|tr|TR|Türkçe|Turkish|Turkey
tt|tt|RU|татар|Tatar|Russia
ug|ug|CN|ئۇيغۇرچە|Uyghur|China
uk|uk|UA|українська мова|Ukrainian|Ukraine
ur|ur|PK|اردو|Urdu|Pakistan
uz|uz|UZ|o‘zbek|Uzbek|Uzbekistan
vi|vi|VN|Tiếng Việt|Vietnamese|Vietnam
xex|xex|001|xextan|Xextan|World
yue|yue|HK|粵語|Cantonese|Hong Kong
zh|zh|CN|简体中文|Chinese|China
zh-yue|yue|HK|粵語|Cantonese|Hong Kong
"""


@functools.cache
def _languages() -> dict[str, VoiceLanguage]:
    rows = (line.split("|") for line in _TABLE.strip().splitlines())
    return {code: VoiceLanguage(*values) for code, *values in rows}


def language_of(espeak_voice: str) -> VoiceLanguage:
    """The language of an espeak-ng voice, as `en-us`, `en-gb-x-rp` or `pt-br`; never fails.

    Subtags that the table does not know are dropped from the end, but a land that is written out
    (`de-li`) is kept. A code of no known language names itself.
    """
    code = espeak_voice.strip().lower().replace("_", "-")
    table = _languages()
    family, *subtags = code.split("-")
    for end in range(len(subtags), 0, -1):
        known = table.get("-".join([family, *subtags[:end]]))
        if known is not None:
            return known
    name = "".join(letter for letter in family if letter.isascii() and letter.isalnum()) or "und"
    base = table.get(family, VoiceLanguage(name, _WORLD, name, name, "World"))
    country = subtags[0].upper() if subtags and len(subtags[0]) == 2 and subtags[0].isascii() else base.region
    return base if country == base.region else replace(base, region=country, country_english=country)
