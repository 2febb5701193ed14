"""What can be wrong with a marking code, in words; part of :data:`hub.fiscal.problems.SENTENCES`."""

from __future__ import annotations

from hub.fiscal.text import Text

MARKING_SENTENCES: dict[str, Text] = {
    "marking_empty": Text(
        "The marking code is empty. Scan the code on the package.",
        "Код маркировки пустой. Отсканируйте код с упаковки.",
        "Таңбалау коды бос. Қаптамадағы кодты сканерлеңіз."),
    "marking_too_long": Text(
        "The marking code has {length} characters, a register takes 256. Scan one code, once.",
        "В коде маркировки {length} символов, касса принимает 256. Отсканируйте один код, один раз.",
        "Таңбалау кодында {length} таңба бар, касса 256 таңба қабылдайды. Бір кодты бір рет сканерлеңіз."),
    "marking_letters": Text(
        "The marking code “{code}” has letters that no code has: the keyboard was switched to another language, or "
        "the code was typed by hand. Switch the keyboard to English and scan again.",
        "В коде маркировки «{code}» буквы, которых в кодах не бывает: включена другая раскладка или код набран "
        "вручную. Переключите клавиатуру на английскую и отсканируйте ещё раз.",
        "«{code}» таңбалау кодында кодтарда болмайтын әріптер бар: басқа пернетақта тілі қосылған немесе код қолмен "
        "терілген. Ағылшын тіліне ауыстырып, қайта сканерлеңіз."),
    "marking_layout": Text(
        "The scanner typed the marking code in the Russian keyboard layout; it was read back. Switch the computer or "
        "the scanner to English so that no code is lost.",
        "Сканер набрал код маркировки в русской раскладке, мы прочитали его обратно. Переключите компьютер или "
        "сканер на английскую раскладку, чтобы коды не терялись.",
        "Сканер таңбалау кодын орыс пернетақтасымен терді, біз оны кері оқыдық. Кодтар жоғалмауы үшін компьютерді "
        "немесе сканерді ағылшын тіліне ауыстырыңыз."),
    "marking_separators": Text(
        "The scanner lost separators of the marking code {code}; they were put back by its layout. Set the scanner to "
        "send GS (ASCII 29).",
        "Сканер потерял разделители в коде маркировки {code}, мы восстановили их по структуре. Настройте сканер "
        "передавать GS (ASCII 29).",
        "Сканер {code} таңбалау кодының бөлгіштерін жоғалтты, олар құрылымы бойынша қалпына келтірілді. Сканерді GS "
        "(ASCII 29) жіберетіндей баптаңыз."),
    "marking_separators_lost": Text(
        "The scanner lost separators of the marking code {code}, and they cannot be put back: it can be read in more "
        "than one way, or in none. Set the scanner to send GS (ASCII 29) and scan again.",
        "Сканер потерял разделители в коде маркировки {code}, и восстановить их нельзя: код читается по-разному или "
        "не читается совсем. Настройте сканер передавать GS (ASCII 29) и отсканируйте ещё раз.",
        "Сканер {code} таңбалау кодының бөлгіштерін жоғалтты, оларды қалпына келтіру мүмкін емес: код әртүрлі оқылады "
        "немесе мүлде оқылмайды. Сканерді GS (ASCII 29) жіберетіндей баптап, қайта сканерлеңіз."),
    "marking_check_digit": Text(
        "The check digit of the number {code} is wrong, so a digit was misread. Scan the code again.",
        "Контрольная цифра номера {code} не сходится: какая-то цифра прочитана неверно. Отсканируйте код ещё раз.",
        "{code} нөмірінің бақылау цифры сәйкес емес: бір цифр қате оқылған. Кодты қайта сканерлеңіз."),
    "marking_characters": Text(
        "The marking code {code} has characters that no code has: {characters}. Scan it again with the keyboard in "
        "English.",
        "В коде маркировки {code} символы, которых в кодах не бывает: {characters}. Отсканируйте его ещё раз на "
        "английской раскладке.",
        "{code} таңбалау кодында кодтарда болмайтын таңбалар бар: {characters}. Ағылшын пернетақтасымен қайта "
        "сканерлеңіз."),
    "marking_tail": Text(
        "The verification part of the marking code {code} has {length} characters; layouts with 4, 44 and 88 are "
        "known. It is passed on as it is; if the register refuses it, scan the whole code again.",
        "Код проверки в коде маркировки {code} длиной {length}; известны 4, 44 и 88 символов. Передаём как есть; если "
        "касса откажет, отсканируйте код целиком ещё раз.",
        "{code} таңбалау кодының тексеру бөлігі {length} таңба; белгілілері 4, 44 және 88. Сол күйінде жібереміз; "
        "касса бас тартса, кодты толық қайта сканерлеңіз."),
    "marking_short": Text(
        "Only the short part of the marking code {code} is known, without its verification part: a register of FFD "
        "1.2 cannot check it (tag 2000). Scan the whole square code on the package.",
        "Известна только короткая часть кода маркировки {code}, без кода проверки: касса с ФФД 1.2 не сможет его "
        "проверить (тег 2000). Отсканируйте квадратный код с упаковки целиком.",
        "{code} таңбалау кодының тексеру бөлігінсіз қысқа бөлігі ғана белгілі: ФФД 1.2 кассасы оны тексере алмайды "
        "(2000 тегі). Қаптамадағы шаршы кодты толық сканерлеңіз."),
    "marking_unknown": Text(
        "“{code}” is no marking code of any known form. Scan the code on the package; if it is right as it is, give "
        "it as unknown:CODE.",
        "«{code}» не похоже ни на один вид кода маркировки. Отсканируйте код с упаковки; если он верен, передайте его "
        "как unknown:КОД.",
        "«{code}» таңбалау кодының ешбір белгілі түріне ұқсамайды. Қаптамадағы кодты сканерлеңіз; егер ол дұрыс "
        "болса, unknown:КОД түрінде беріңіз."),
}

__all__ = ["MARKING_SENTENCES"]
