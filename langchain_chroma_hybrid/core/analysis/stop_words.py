"""Function words by language: short lists of words that never carry the subject of a question."""

from __future__ import annotations

ISO_CODES = {
    "ar": "arabic", "ca": "catalan", "cs": "czech", "da": "danish", "de": "german", "el": "greek",
    "en": "english", "eo": "esperanto", "es": "spanish", "et": "estonian", "eu": "basque",
    "fa": "persian", "fi": "finnish", "fr": "french", "ga": "irish", "hi": "hindi",
    "hu": "hungarian", "hy": "armenian", "id": "indonesian", "it": "italian", "lt": "lithuanian",
    "ne": "nepali", "nl": "dutch", "no": "norwegian", "pl": "polish", "pt": "portuguese",
    "ro": "romanian", "ru": "russian", "sr": "serbian", "st": "sesotho", "sv": "swedish",
    "ta": "tamil", "tr": "turkish", "yi": "yiddish",
}  # fmt: skip

STOP_WORDS = {
    "danish": """
        og i at det en et den til er som på de med han af for ikke der var jeg sig men har
        om vi havde hun nu over da fra du ud sin dem os op man hans hvor eller hvad skal her
        alle vil blev kunne ind når være kan
    """,
    "dutch": """
        de het een en van ik te dat die in is op aan met als voor er maar om hem dan zou of
        wat mijn men dit zo door over ze zich bij ook tot je mij uit der daar haar naar heb
        hoe heeft hebben deze u want nog zal zij nu geen was wie werd wordt worden welke
        welk zijn
    """,
    "english": """
        a an and are as at be been being but by can could did do does doing for from had has
        have having he her here hers him his how i if in into is it its me my of on or our
        ours she so such than that the their them then there these they this those to too
        was we were what when where which while who whom why will with would you your
    """,
    "finnish": """
        ja on ei ole oli että se ne hän he minä sinä me te joka jotka mikä mitä kuka kun jos
        mutta tai sekä niin kuin myös ovat olla olivat tämä nämä tuo siis vaan
    """,
    "french": """
        le la les l un une des de du d et à au aux en dans par pour sur avec sans sous ce
        cet cette ces c se s sa son ses leur leurs il elle ils elles on nous vous je j tu me
        m te t qui que qu quoi dont où ne n pas est sont était être été a ont avait avoir
        mais ou donc or ni car y quel quelle quels quelles comment pourquoi quand
    """,
    "german": """
        der die das den dem des ein eine einen einem einer eines und oder aber in im an am
        auf aus bei beim mit nach von vom zu zum zur für über unter um durch ist sind war
        waren sein wird werden wurde wurden hat haben hatte hatten ich du er sie es wir ihr
        ihm ihn ihnen sich mich dich uns euch als wie wenn dass ob was wer wo wann warum
        welche welcher welches so auch nicht noch nur dieser diese dieses kann können
    """,
    "hungarian": """
        a az és hogy nem is ez egy de van volt ha meg csak már el mint vagy aki ami amely ki
        mi mit hol mikor ezt azt lesz lehet én te ő mi ti ők
    """,
    "italian": """
        il lo la i gli le l un uno una di del dello della dei degli delle d a al allo alla
        ai agli alle da dal dalla dai in nel nella nei con su sul sulla per tra fra e ed o
        ma se che chi cui non è sono era erano essere ha hanno aveva avere si ci vi mi ti io
        tu lui lei noi voi loro come dove quando perché cosa quale quali questo questa
        questi queste
    """,
    "norwegian": """
        og i det at en et den til er som på de med han av for ikke der var jeg seg men har
        om vi hadde hun nå over da fra du ut sin dem oss opp man hans hvor eller hva skal
        her alle vil ble kunne inn når være kan
    """,
    "portuguese": """
        o a os as um uma uns umas de do da dos das em no na nos nas por pelo pela pelos
        pelas para com sem e ou mas se que quem qual quais onde quando como não é são era
        eram ser foi foram tem têm tinha ter há eu tu ele ela nós vós eles elas me te lhe
        seu sua seus suas este esta isso isto ao aos à às
    """,
    "romanian": """
        și sau dar de la în din pe cu pentru prin un o unui unei al ale a ai care ce cine
        unde când cum nu este sunt era erau fi fost are au avea eu tu el ea noi voi ei ele
        se să că mai
    """,
    "russian": """
        и в во не что он на я с со как а то все она так его но да ты к у же вы за бы по ее
        мне было вот от меня о из ему для мы их чем была были быть это этот эта эти при или
        ни кто где когда какой какая какие почему ли
    """,
    "spanish": """
        el la los las lo un una unos unas de del a al en por para con sin sobre entre y e o
        u pero si que qué quien quién cual cuál cuales dónde donde cuándo cuando cómo como
        no es son era eran ser fue fueron está están estar ha han había haber yo tú él ella
        nosotros ellos ellas me te se le les su sus mi mis este esta estos estas ese esa eso
        esto
    """,
    "swedish": """
        och i att det en ett den till är som på de med han av för inte där var jag sig men
        har om vi hade hon nu över då från du ut sin dem oss upp man hans eller vad ska här
        alla vill blev kunde in när vara kan
    """,
    "turkish": """
        ve bir bu da de için ile o ne mi mı mu mü ama gibi daha çok en ya ben sen biz siz
        onlar şu ki kim nasıl nerede niçin hangi olan olarak
    """,
}
